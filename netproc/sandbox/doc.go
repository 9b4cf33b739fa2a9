// Package sandbox builds the walls around the network process, in two stages.
//
// The parent starts the program under a user id of its own, in empty
// namespaces, with two capabilities that count only inside them. Confine, the
// first stage, uses these to leave the file system, gives them up with
// everything else, and executes the program again. Enter, the second stage,
// has nothing left to give up but system calls: Landlock, then seccomp.
//
// Every step fails closed, and the parent checks the result from outside
// before it hands over anything.
package sandbox

//go:generate env CGO_ENABLED=1 go run -tags seccompgen ./gen
