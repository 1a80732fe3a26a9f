/* Compiled without unwinding tables: only the frame pointer leads from here to the caller. */
volatile int sum;

__attribute__((noinline, noclone)) int with_frame_pointer(int depth, int (*last)(int))
{
    volatile char room[64];
    room[depth] = depth;
    sum += room[depth];
    int found = depth ? with_frame_pointer(depth - 1, last) : last(depth);
    return found + room[depth];
}
