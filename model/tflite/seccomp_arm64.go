package tflite

import "golang.org/x/sys/unix"

var (
	olderCalls []uint32
	opens      = []openCall{{unix.SYS_OPENAT, 2}}
)
