package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"mien/docs"
	"mien/firmware/config"
	"mien/firmware/gateway"
	"mien/firmware/gateway/mqtt"
	"mien/firmware/gateway/page"
	"mien/firmware/operator"
)

var errReadOnly = syscall.EROFS

// runGateway is `mien gateway`: a process of its own that has a network and no pixels.
// It opens its config, its own folder, the unit's socket, and the ports that the config
// names.
func runGateway(c *call) error {
	if len(c.args) > 0 && c.args[0] == "user" {
		return userCommand.with("mien gateway", c.args[1:], c.out, c.err).among(userCommands())
	}
	socket := c.String("socket", "", "`PATH` of the unit's socket; empty: as the config has it")
	path, err := c.config(defaultConfig, "")
	if err != nil {
		return err
	}
	seen := stamp(path) // before it is read: what changes while it is, is looked at again
	cfg, err := config.Load(path)
	if err != nil {
		var problems config.Problems
		if errors.As(err, &problems) {
			return problems
		}
		return coded{err, exitMissing}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	stdlog.SetOutput(io.Discard) // of package http: what browsers and scanners do wrong is no news
	log := slog.New(slog.NewTextHandler(c.err, nil))
	for ctx.Err() == nil {
		if len(services(cfg)) == 0 {
			return coded{fmt.Errorf("%s: there is nothing to serve: page.serve is false, and nothing else of the gateway is turned on (docs/gateway.md)", path), exitConfig}
		}
		if cfg, seen, err = c.serve(ctx, log, path, seen, cfg, *socket); err != nil {
			return coded{err, exitMissing}
		}
	}
	return nil
}

// service is one thing that the gateway does: what the config has of it, and how it
// begins. What begins must not wait; it tells its end, and ends with ctx.
type service struct {
	of    any // a change of it begins all anew
	begin func(ctx context.Context, g *serving, ended chan<- error) error
}

// services are those that a config turns on.
func services(cfg *config.Config) (list []service) {
	if cfg.Page.Serve {
		list = append(list, service{cfg.Page, servePage})
	}
	if cfg.MQTT.Broker != "" {
		list = append(list, service{[]any{cfg.MQTT, cfg.Unit.Purpose}, serveMQTT})
	}
	if cfg.ModbusTCP.Listen != "" {
		list = append(list, service{onPlant{"modbus_tcp", cfg.ModbusTCP, cfg.Modbus, cfg.Unit.Name}, serveModbusTCP})
	}
	if cfg.Metrics.Listen != "" {
		list = append(list, service{[]any{cfg.Metrics, cfg.Unit.Purpose}, serveMetrics})
	}
	if cfg.SLMP.Listen != "" {
		list = append(list, service{onPlant{"slmp", cfg.SLMP, cfg.Modbus, cfg.Unit.Name}, serveSLMP})
	}
	return list
}

// serving is what all services have.
type serving struct {
	cfg  *config.Config
	out  io.Writer
	dial func() (*operator.Client, error)
	link *gateway.Link
	say  func(format string, args ...any) // to a technician

	mirrored *operator.Mirror
}

// mirror is what the unit knows, for all services that read it.
func (s *serving) mirror(ctx context.Context) *operator.Mirror {
	if s.mirrored == nil {
		s.mirrored = s.link.Mirror(ctx)
	}
	return s.mirrored
}

// serve runs the services until ctx ends or the config changes one of them; it gives
// the config that is in force then, and the stamp of its file.
func (c *call) serve(ctx context.Context, log *slog.Logger, path, seen string, cfg *config.Config, socket string) (*config.Config, string, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if socket == "" {
		socket = unitSocket(cfg)
	}
	g := &serving{cfg: cfg, out: c.out, dial: func() (*operator.Client, error) { return operator.Dial(socket) },
		say: func(format string, args ...any) { log.Warn(fmt.Sprintf(format, args...)) }}
	g.link = gateway.NewLink(ctx, g.dial)
	list := services(cfg)
	ended, running := make(chan error, len(list)), 0
	end := func(err error) error { // waits for all of them; the first error counts
		stop()
		for ; running > 0; running-- {
			if other := <-ended; err == nil {
				err = other
			}
		}
		return err
	}
	for _, s := range list {
		if err := s.begin(ctx, g, ended); err != nil {
			return nil, seen, end(err)
		}
		running++
	}
	refused := ""
	for look := time.Tick(250 * time.Millisecond); ; { // who has changed the page's address on the page waits for it
		select {
		case err := <-ended:
			running--
			return cfg, seen, end(err)
		case <-look:
		}
		now := stamp(path)
		if now == seen {
			continue
		}
		seen = now
		other, err := config.Load(path)
		if err != nil {
			if err.Error() != refused {
				refused = err.Error()
				log.Warn("config refused, the one in force stays", "detail", refused)
			}
			continue
		}
		if inForce(other) != inForce(cfg) {
			return other, seen, end(nil)
		}
	}
}

// inForce tells one gateway's config from another's.
func inForce(cfg *config.Config) string {
	text := fmt.Sprint(cfg.Gateway, cfg.Socket)
	for _, s := range services(cfg) {
		text += fmt.Sprintf("%T%v", s.of, s.of)
	}
	return text
}

// servePage begins to serve the page.
func servePage(ctx context.Context, s *serving, ended chan<- error) error {
	files, err := page.Files()
	switch {
	case files == nil:
		return err
	case err != nil: // without plots it is a page still
		s.say("%s", err.Error())
	}
	folder := s.cfg.Gateway.Folder()
	g, err := gateway.New(gateway.Options{Page: s.cfg.Page, Folder: folder, Files: files, Version: version, About: map[string]string{"licences": docs.Licences},
		Dial: s.dial, Link: s.link, Say: s.say, Open: open(s.cfg)})
	if err != nil {
		return err
	}
	l, err := g.Listen()
	if err != nil {
		return err
	}
	for _, address := range g.Addresses(l) {
		fmt.Fprintf(s.out, "page: %s\n", address)
	}
	if g.Certificate() != nil {
		fmt.Fprintf(s.out, "fingerprint of its certificate (SHA-256): %s\n", gateway.Fingerprint(g.Certificate()))
	}
	if list, err := gateway.NewUsers(folder).List(); err == nil && len(list) == 0 {
		fmt.Fprintln(s.out, "nobody can log in yet: sudo mien gateway user add NAME -role administrator")
	}
	go func() { ended <- g.Serve(ctx, l) }()
	return nil
}

// serveMQTT begins to tell a broker.
func serveMQTT(ctx context.Context, s *serving, ended chan<- error) error {
	node := mqtt.New(mqtt.Options{Config: s.cfg.MQTT, Folder: s.cfg.Gateway.Folder(), Link: s.link, Dial: s.dial, Say: s.say})
	fmt.Fprintf(s.out, "mqtt: %s, as %s\n", s.cfg.MQTT.Broker, s.cfg.MQTT.Style)
	go func() { ended <- node.Run(ctx) }()
	return nil
}

// open are the ports that a config opens beside the page's.
func open(cfg *config.Config) map[string]string {
	ports := map[string]string{"modbus_tcp": cfg.ModbusTCP.Listen, "slmp": cfg.SLMP.Listen, "metrics": cfg.Metrics.Listen}
	maps.DeleteFunc(ports, func(_, address string) bool { return address == "" })
	return ports
}

// onPlant is what a server of the register map is made of.
type onPlant struct {
	table string
	on    config.OnNetwork
	rtu   config.Modbus
	name  string
}

// serveModbusTCP begins to serve the register map to the plant's network.
func serveModbusTCP(ctx context.Context, s *serving, ended chan<- error) error {
	server, err := s.registers(ctx, s.cfg.ModbusTCP).ModbusTCP()
	if err != nil {
		return err
	}
	return s.serveRegisters(ctx, "modbus_tcp", fmt.Sprintf("unit %d", s.cfg.Modbus.Address), s.cfg.ModbusTCP, server, ended)
}

// serveSLMP begins to serve it to MELSEC PLCs.
func serveSLMP(ctx context.Context, s *serving, ended chan<- error) error {
	server, err := s.registers(ctx, s.cfg.SLMP).SLMP()
	if err != nil {
		return err
	}
	return s.serveRegisters(ctx, "slmp", "3E frames in binary code", s.cfg.SLMP, server, ended)
}

func (s *serving) registers(ctx context.Context, on config.OnNetwork) gateway.Registers {
	return gateway.Registers{On: on, Modbus: s.cfg.Modbus, Name: s.cfg.Unit.Name, Version: version, Mirror: s.mirror(ctx), Dial: s.dial, Say: s.say}
}

func (s *serving) serveRegisters(ctx context.Context, table, as string, on config.OnNetwork, server interface {
	Serve(context.Context, net.Listener) error
}, ended chan<- error) error {
	l, err := gateway.Listen(table+".listen", on.Listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: %s, %s, %s\n", table, l.Addr(), as, map[bool]string{false: "read only", true: "writes are allowed"}[on.Write])
	go func() { ended <- server.Serve(ctx, l) }()
	return nil
}

// serveMetrics begins to answer Prometheus.
func serveMetrics(ctx context.Context, s *serving, ended chan<- error) error {
	l, err := gateway.Listen("metrics.listen", s.cfg.Metrics.Listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "metrics: http://%s/metrics\n", l.Addr())
	m := gateway.Metrics{Config: s.cfg.Metrics, Mirror: s.mirror(ctx), Say: s.say}
	go func() { ended <- m.Serve(ctx, l) }()
	return nil
}

// stamp tells one state of a file from another.
func stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(info.ModTime(), info.Size(), info.Sys().(*syscall.Stat_t).Ino)
}

// unitSocket is where the unit with this config listens. The gateway's own run folder
// is not the unit's.
func unitSocket(cfg *config.Config) string {
	if cfg.Socket.Path == "" && exists(serviceSocket) || os.Getenv("RUNTIME_DIRECTORY") != "" && cfg.Socket.Path == "" {
		return serviceSocket
	}
	return cfg.Socket.File()
}

// userCommand is `mien gateway user`: who may log in to the page.
var userCommand = command{"user", "COMMAND", "who may log in to the page", nil, ""}

// userCommands are its own commands.
func userCommands() []command {
	return []command{
		{"add", "NAME", "add a user with a -role: viewer, operator, engineer or administrator; asks for a password", userAdd, ""},
		{"list", "", "list users with their roles", userList, ""},
		{"password", "NAME", "give a user another password, which logs the user out", userPassword, ""},
		{"remove", "NAME", "remove a user, which logs the user out", userRemove, ""},
	}
}

// users declares the option that names a config, parses the command line, and gives
// the users, and the name that the command is for.
func (c *call) users(named bool) (users *gateway.Users, folder, name string, err error) {
	path := c.String("config", defaultConfig, "config `FILE`, whose gateway.dir has the users")
	most := 0
	if named {
		most = 1
	}
	if err := c.options(most); err != nil {
		return nil, "", "", err
	}
	if name = c.Arg(0); named && name == "" {
		return nil, "", "", usageError(strings.TrimPrefix(c.Name(), "mien ") + " needs the NAME of a user")
	}
	cfg, err := config.Load(*path)
	switch {
	case errors.Is(err, os.ErrNotExist) && !c.given("config"):
		cfg = config.Default()
	case err != nil:
		return nil, "", "", err
	}
	folder = cfg.Gateway.Folder()
	return gateway.NewUsers(folder), folder, name, nil
}

func userList(c *call) error {
	users, _, _, err := c.users(false)
	if err != nil {
		return err
	}
	list, err := users.List()
	if err != nil {
		return coded{err, exitMissing}
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tSINCE")
	for _, u := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", u.Name, u.Role, u.Made.Format("2006-01-02"))
	}
	return w.Flush()
}

func userAdd(c *call) error {
	role := c.String("role", "", "`ROLE`: viewer, operator, engineer or administrator")
	users, folder, name, err := c.users(true)
	if err != nil {
		return err
	}
	r, err := operator.ParseRole(*role)
	if err != nil {
		return usageError("-role: " + err.Error())
	}
	password, err := c.password()
	if err == nil {
		err = users.Add(name, r, password, time.Now())
	}
	return c.changed(err, "%s: added, in %s\n", name, folder)
}

func userPassword(c *call) error {
	users, folder, name, err := c.users(true)
	if err != nil {
		return err
	}
	password, err := c.password()
	if err == nil {
		_, err = users.SetPassword(name, password)
	}
	return c.changed(err, "%s: has a new password, in %s\n", name, folder)
}

func userRemove(c *call) error {
	users, folder, name, err := c.users(true)
	if err != nil {
		return err
	}
	return c.changed(users.Remove(name), "%s: removed, in %s\n", name, folder)
}

func (c *call) changed(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, format, args...)
	return err
}

// password asks for a password, twice on a terminal; else it is the first line.
func (c *call) password() (string, error) {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", fmt.Errorf("no password came on standard input: %w", err)
		}
		return line, nil
	}
	var typed [2]string
	for i, ask := range []string{"password: ", "the same again: "} {
		fmt.Fprint(c.err, ask)
		line, err := term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(c.err)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		typed[i] = string(line)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two are not the same")
	}
	return typed[0], nil
}
