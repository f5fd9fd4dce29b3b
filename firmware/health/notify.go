package health

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// Notifier talks to systemd as sd_notify(3) describes: one datagram a message
// to the socket that $NOTIFY_SOCKET names.
type Notifier struct{ conn *net.UnixConn }

// Notify gives the notifier of the service manager, nil when there is none; a
// nil notifier's methods do nothing.
func Notify() (*Notifier, error) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil, nil
	}
	if name[0] == '@' { // an abstract socket's name begins with a zero byte
		name = "\x00" + name[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("notify systemd: %w", err)
	}
	return &Notifier{conn}, nil
}

// sendWithin bounds Send: whoever sends feeds the machine's watchdog too, and
// must not wait for a manager that does not listen.
const sendWithin = 100 * time.Millisecond

// Send sends a message such as READY=1, WATCHDOG=1 or STATUS=text.
func (n *Notifier) Send(message string) error {
	if n == nil {
		return nil
	}
	n.conn.SetWriteDeadline(time.Now().Add(sendWithin))
	_, err := n.conn.Write([]byte(message))
	return err
}

// Close closes the socket.
func (n *Notifier) Close() error {
	if n == nil {
		return nil
	}
	return n.conn.Close()
}

// KeepAlive is how often systemd wants WATCHDOG=1 at the latest, 0 when it
// does not (sd_watchdog_enabled(3)).
func KeepAlive() time.Duration {
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		return 0
	}
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}
