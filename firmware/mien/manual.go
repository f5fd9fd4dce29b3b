package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// entry is a command as the manual and a shell see it.
type entry struct {
	name, args, summary string
	flags               []*flag.Flag
	own                 []entry // commands of the command
	user                []entry // and those behind the word user
}

// entries describes every command of the table, with the options that it declares.
func entries() []entry {
	of := func(list []command, program string) (all []entry) {
		for _, k := range list {
			all = append(all, entry{name: k.name, args: k.args, summary: k.summary, flags: k.flags(program)})
		}
		return all
	}
	all := of(commands, "mien")
	for i := range all {
		switch all[i].name {
		case "pilot":
			all[i].flags, all[i].own = nil, of(pilotCommands(), "mien pilot")
		case "gateway": // it does something alone too
			all[i].user = of(userCommands(), "mien gateway user")
		}
	}
	return all
}

// flags asks a command for its options: it declares them, and does nothing else.
func (k command) flags(of string) (list []*flag.Flag) {
	c := k.with(of, []string{"-help"}, io.Discard, io.Discard)
	c.usage = func() { c.VisitAll(func(f *flag.Flag) { list = append(list, f) }) }
	k.run(c) // it ends with errHelp
	return list
}

// roff makes text safe in a manual page.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	var b strings.Builder
	for _, r := range text {
		if r < 128 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		}
	}
	return b.String()
}

// writeManual prints mien(1).
func writeManual(w io.Writer) {
	fmt.Fprintf(w, `.TH MIEN 1 "" "mien %s" "mien"
.SH NAME
mien \- watch a worker's face on a production line and tell a PLC in time
.SH SYNOPSIS
.B mien
.I COMMAND
.RI [ options ]
.SH DESCRIPTION
mien reads frames from a camera, finds the face, runs a small network, and drives GPIO lines and a serial port when a
limit is crossed for long enough. It is a monitoring aid, and no safety function.
.PP
Options may stand behind arguments too. A config is named as
.I FILE
or as
.BI \-config\  FILE\fR.
.SH COMMANDS
`, roff(version))
	for _, e := range entries() {
		e.manual(w, "")
		for _, own := range e.own {
			own.manual(w, e.name+" ")
		}
		for _, own := range e.user {
			own.manual(w, e.name+" user ")
		}
	}
	fmt.Fprint(w, `.SH EXIT STATUS
0 done; 1 tried and failed; 2 wrong command line; 3 wrong config or model; 4 hardware, file or running unit that is not
there.
.SH FILES
.TP
.I /etc/mien/mien.toml
the config;
.B mien config
prints every key of it
.TP
.I /var/lib/mien
alarms, journal, recordings, and the configs before
.TP
.I /var/lib/mien\-gateway
users and certificate of the page
.TP
.I /usr/share/doc/mien
the documents
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1)
`)
}

func (e entry) manual(w io.Writer, before string) {
	fmt.Fprintf(w, ".SS mien %s\n%s\n", roff(strings.TrimSpace(before+e.name+" "+e.args)), roff(e.summary))
	for _, f := range e.flags {
		what, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(w, ".TP\n.B %s\n", roff(strings.TrimSpace("-"+f.Name+" "+what)))
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "%s\n", strings.ReplaceAll(roff(usage), "\n", "\n.br\n"))
	}
}

// writeCompletion prints what makes bash complete mien's commands and options.
func writeCompletion(w io.Writer) {
	words := func(list []entry) string {
		var names []string
		for _, e := range list {
			names = append(names, e.name)
		}
		return strings.Join(names, " ")
	}
	options := func(e entry) string {
		names := []string{"-help"}
		for _, f := range e.flags {
			names = append(names, "-"+f.Name)
		}
		return strings.Join(names, " ")
	}
	all := entries()
	fmt.Fprintf(w, `# bash completion of mien, made by: mien help -completion
_mien() {
	local word=${COMP_WORDS[COMP_CWORD]} list=
	if [ "$COMP_CWORD" = 1 ]; then
		list="%s"
	else
		case "${COMP_WORDS[1]} ${COMP_WORDS[2]}" in
`, words(all))
	for _, e := range all {
		for _, own := range e.own {
			fmt.Fprintf(w, "\t\t\"%s %s\") list=\"%s\" ;;\n", e.name, own.name, options(own))
		}
		if e.user != nil {
			fmt.Fprintf(w, "\t\t\"%s user\")\n\t\t\tcase \"$COMP_CWORD ${COMP_WORDS[3]}\" in\n\t\t\t3*) list=\"%s\" ;;\n", e.name, words(e.user))
			for _, own := range e.user {
				fmt.Fprintf(w, "\t\t\t*\" %s\") list=\"%s\" ;;\n", own.name, options(own))
			}
			fmt.Fprint(w, "\t\t\tesac ;;\n")
			fmt.Fprintf(w, "\t\t\"%s \"*) list=\"user %s\" ;;\n", e.name, options(e))
		} else if e.own != nil {
			fmt.Fprintf(w, "\t\t\"%s \"*) [ \"$COMP_CWORD\" = 2 ] && list=\"%s\" ;;\n", e.name, words(e.own))
		} else if e.name == "help" {
			fmt.Fprintf(w, "\t\t\"help \"*) list=\"%s %s\" ;;\n", words(all), options(e))
		} else {
			fmt.Fprintf(w, "\t\t\"%s \"*) list=\"%s\" ;;\n", e.name, options(e))
		}
	}
	// Without a match bash completes names of files.
	fmt.Fprint(w, `		esac
		[[ $word == -* || ${COMP_WORDS[1]} == help || ${COMP_WORDS[1]} == pilot || ${COMP_WORDS[1]} == gateway ]] || list=
	fi
	mapfile -t COMPREPLY < <(compgen -W "$list" -- "$word")
}
complete -o default -F _mien mien
`)
}
