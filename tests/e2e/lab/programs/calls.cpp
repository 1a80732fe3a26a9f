// Functions with every kind of name that C++ has, one below the other, then pause(2).
#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#define KEEP __attribute__((noinline, noclone))

namespace {
volatile int sink = 1;

KEEP int stand_still(unsigned long long, const char *, double &&)
{
    if (open("/tmp/ready", O_CREAT | O_WRONLY, 0644) < 0)
        std::abort();
    while (sink)
        pause();
    return sink;
}
}

namespace outer::inner {

struct Base {
    virtual ~Base() = default;
    virtual int act(const std::string &, std::vector<int> *) const = 0;
};

template <typename T, int N> struct Box : Base {
    T value[N];
    KEEP Box();
    KEEP int act(const std::string &text, std::vector<int> *more) const override
    {
        return stand_still(text.size() + more->size(), text.c_str(), 1.5) + sink;
    }
    KEEP int operator()(int a) const { return act("text", new std::vector<int>(a)) + sink; }
    KEEP int operator[](std::pair<int, char> a) const { return (*this)(a.first) + sink; }
    KEEP operator bool() const { return (*this)[{3, 'x'}] + sink; }
};

template <typename T, int N> Box<T, N>::Box()
{
    for (auto &one : value)
        one = T();
    sink = sink + static_cast<bool>(*this);
}

template <typename... Args> KEEP int variadic(Args... args)
{
    std::unique_ptr<Base> made = std::make_unique<Box<long, 4>>();
    return sizeof...(args) + (made ? sink : 0);
}

enum class Colour { red };

KEEP static int with_function(std::function<int(int)> f, int (*g)(Colour), Colour c)
{
    return f(g(c)) + sink;
}

KEEP int of_colour(Colour c) { return static_cast<int>(c); }

} // namespace outer::inner

using namespace outer::inner;

KEEP static bool less(const std::string &a, const std::string &b)
{
    auto inside = [&a, &b](int x) __attribute__((noinline)) {
        return variadic(x, a, b.c_str(), 2.5f, Colour::red) + sink;
    };
    return with_function(inside, of_colour, Colour::red) > 0;
}

KEEP static int sorted(std::map<std::string, std::vector<int>> &)
{
    std::vector<std::string> words{"b", "a", "c"};
    std::sort(words.begin(), words.end(), less);
    return words.size() + sink;
}

int main()
{
    std::thread other([] {
        std::map<std::string, std::vector<int>> map;
        sink = sink + sorted(map);
    });
    other.join();
}
