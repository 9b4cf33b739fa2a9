package ipc

// Type names a message.
type Type uint8

// Messages; the table in table.go has a row for each.
const (
	TypeHello       Type = iota + 1 // both ways
	TypeRouter                      // parent to child
	TypeLinkState                   // parent to child
	TypeRestore                     // parent to child
	TypeSecret                      // parent to child
	TypeMark                        // both ways
	TypeOwner                       // parent to child
	TypeCommit                      // parent to child
	TypeFrame                       // parent to child, frames lane
	TypeResult                      // parent to child
	TypeStop                        // parent to child
	TypeReady                       // child to parent
	TypeAdvertise                   // child to parent
	TypeAcquire                     // child to parent
	TypeRelease                     // child to parent
	TypeAnnounce                    // child to parent
	TypeDrain                       // child to parent
	TypeStateChange                 // child to parent
	TypeDropped                     // child to parent
	TypeNoticed                     // child to parent
	TypePing                        // both ways
	TypeSniff                       // parent to child
	TypeCapture                     // parent to child
	TypeShown                       // child to parent
	TypeMissed                      // parent to child
	TypeLook                        // child to parent
	TypeTapped                      // parent to child
	TypeLooked                      // child to parent
	TypeMoved                       // parent to child
	NumTypes                        // one more than the last
)
