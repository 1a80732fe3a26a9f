#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <signal.h>
#include <string.h>
#include <time.h>
static volatile int ready;
__attribute__((noinline)) static void stand_still(void) { __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST); for (;;) pause(); }
__attribute__((noinline)) static int even(int n);
__attribute__((noinline)) static int odd(int n) { if (!n) stand_still(); return even(n - 1) + 1; }
__attribute__((noinline)) static int even(int n) { volatile char room[80]; room[n % 80] = n; return odd(n ? n - 1 : 0) + room[0]; }
static int compare(const void *a, const void *b) { stand_still(); return *(const int *)a - *(const int *)b; }
__attribute__((noinline)) static void *sort(void *x) { int v[] = {3, 1, 2}; qsort(v, 3, sizeof *v, compare); return x; }
static void handler(int s) { (void)s; stand_still(); }
__attribute__((noinline)) static int interrupted(int n) { raise(SIGUSR1); return n + 1; }
static void *signalled(void *x) { return (void *)(long)interrupted((long)x); }
static void *recurse(void *x) { return (void *)(long)even((long)x + 10); }
int main(void) {
    pthread_t t;
    signal(SIGUSR1, handler);
    pthread_create(&t, 0, recurse, 0);
    pthread_create(&t, 0, sort, 0);
    pthread_create(&t, 0, signalled, 0);
    while (ready < 3) { struct timespec s = {0, 10000000}; nanosleep(&s, 0); }
    stand_still();
}
