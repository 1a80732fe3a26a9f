/* Threads that each stand somewhere else, for stacks: in recursion with frames of many sizes, below a
 * function of the C library, in a signal handler, on an alternate stack after an overflow, in the vdso,
 * and below code that has only frame pointers (calls-fp.c). /tmp/ready appears once all are there. */
#define _GNU_SOURCE
#include <alloca.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEEP __attribute__((noinline, noclone))
#define STACK (64 << 10)

extern int with_frame_pointer(int depth, int (*last)(int));

static int arrived;
volatile int always = 1, sink;

KEEP int stand_still(int number)
{
    __atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
    while (always)
        pause();
    return number + sink;
}

KEEP int last_of_odd(int depth, char *room);

KEEP int even(int depth, long a, long b, long c)
{
    char *room = alloca(depth * 8 + 16);
    memset(room, depth, depth * 8 + 16);
    sink += room[depth];
    return last_of_odd(depth - 1, room) + (int)(a + b * c);
}

KEEP int last_of_odd(int depth, char *room)
{
    volatile char more[3000];
    more[depth] = room[0];
    int found = depth <= 0 ? stand_still(depth) : even(depth - 1, depth, sink, room[1]);
    return found + more[depth];
}

static void *recurse(void *unused) { return (void *)(long)(even(12, 1, 2, 3) + (unused != NULL)); }

KEEP int compare(const void *a, const void *b) { return stand_still(*(int *)a - *(int *)b) + 1; }

static void *sort(void *unused)
{
    int numbers[] = {3, 1, 2};
    qsort(numbers, 3, sizeof *numbers, compare);
    return (void *)(long)(numbers[0] + sink + (unused != NULL));
}

KEEP void on_signal(int number) { sink += stand_still(number); }

KEEP int interrupted(int number)
{
    raise(number);
    return sink + number;
}

static void *signalled(void *unused) { return (void *)(long)(interrupted(SIGUSR1) + (unused != NULL)); }

KEEP int overflow(int depth)
{
    volatile char room[200];
    room[depth % 200] = depth;
    return overflow(depth + 1) + room[depth % 200];
}

static void *overflowed(void *unused)
{
    stack_t alternate = {.ss_sp = malloc(STACK), .ss_size = STACK};
    sigaltstack(&alternate, NULL);
    return (void *)(long)(overflow(0) + (unused != NULL));
}

KEEP int ask_the_time(void)
{
    struct timespec now;
    int rounds = 0;
    __atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
    while (always)
        rounds += clock_gettime(CLOCK_MONOTONIC, &now);
    return rounds + sink;
}

static void *spin(void *unused) { return (void *)(long)(ask_the_time() + (unused != NULL)); }

static void *frame_pointers(void *unused)
{
    return (void *)(long)(with_frame_pointer(5, stand_still) + (unused != NULL));
}

int main(void)
{
    void *(*all[])(void *) = {recurse, sort, signalled, overflowed, spin, frame_pointers};
    int count = sizeof all / sizeof *all;
    struct sigaction plain = {.sa_handler = on_signal};
    struct sigaction other = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &plain, NULL);
    sigaction(SIGSEGV, &other, NULL);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 2 * STACK);
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        pthread_create(&thread, &small, all[i], NULL);
    }
    while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < count)
        usleep(1000);
    close(open("/tmp/ready", O_CREAT | O_WRONLY, 0644));
    return stand_still(0);
}
