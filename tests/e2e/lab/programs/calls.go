// Stacks of Go: each goroutine stays on a thread of its own and waits in the kernel.
package main

import (
	"os"
	"runtime"
	"sort"
	"sync/atomic"
	"syscall"
)

var ready atomic.Int32

//go:noinline
func standStill() {
	if ready.Add(1) == 6 {
		os.WriteFile("/tmp/ready", []byte("6\n"), 0o644)
	}
	for {
		syscall.Pause()
	}
}

//go:noinline
func recurse(depth int) int {
	if depth == 0 {
		standStill()
	}
	var room [64]byte
	room[depth%64] = byte(depth)
	return recurse(depth-1) + int(room[0])
}

type shape interface{ area(scale float64) float64 }

type square struct{ side float64 }

//go:noinline
func (s *square) area(scale float64) float64 {
	standStill()
	return s.side * scale
}

//go:noinline
func each[T any](values []T, do func(T) bool) (count int) {
	for _, value := range values {
		if do(value) {
			count++
		}
	}
	return count
}

//go:noinline
func compare(values []int) {
	sort.Slice(values, func(a, b int) bool {
		standStill()
		return values[a] < values[b]
	})
}

//go:noinline
func deferred() {
	recover()
	standStill()
}

//go:noinline
func panics(values []int) int {
	defer deferred()
	return values[len(values)+1]
}

//go:noinline
func spin() (count uint64) {
	if ready.Add(1) == 6 {
		os.WriteFile("/tmp/ready", []byte("6\n"), 0o644)
	}
	for {
		count = count*6364136223846793005 + 1
	}
}

func onThread(run func()) {
	go func() {
		runtime.LockOSThread()
		run()
	}()
}

func main() {
	var one shape = &square{2}
	onThread(func() { recurse(20) })
	onThread(func() { one.area(3) })
	onThread(func() { each([]string{"a"}, func(string) bool { standStill(); return true }) })
	onThread(func() { compare([]int{3, 1, 2}) })
	onThread(func() { panics([]int{1}) })
	spin()
}
