package main

import (
	"fmt"
	"io"
	"strings"
)

// writeText prints the report for a terminal.
func (r *report) writeText(w io.Writer) {
	fmt.Fprintf(w, "%s %s (%s; %s)\n", r.Model.Name, r.Model.Version, r.Model.Backend, r.Model.Views)
	fmt.Fprintf(w, "%s: %d pictures, %d with an answer", r.Labels, r.Pictures, r.Answered)
	if r.Whole > 0 {
		fmt.Fprintf(w, ", %d of them from the whole picture (no face found)", r.Whole)
	}
	fmt.Fprintf(w, "\nscores with 95 %% intervals of %d bootstrap draws\n", r.Rounds)
	if e := r.Expression; e != nil {
		fmt.Fprintf(w, "\nexpression (%d pictures)\n  accuracy              %s\n  macro F1              %s\n  calibration error     %s\n",
			e.Pictures, e.Accuracy.text(3), e.MacroF1.text(3), e.Calibration.Error.text(3))
		for _, c := range e.PerClass {
			if c.Pictures > 0 {
				fmt.Fprintf(w, "  %-12s %5d   F1 %s\n", c.Class, c.Pictures, c.F1.text(3))
			}
		}
	}
	if a := r.Affect; a != nil {
		title := "valence and arousal"
		if a.Derived {
			title += ", derived"
		}
		fmt.Fprintf(w, "\n%s (%d pictures)\n  valence CCC           %s\n  arousal CCC           %s\n  mean CCC              %s\n",
			title, a.Pictures, a.Valence.CCC.text(3), a.Arousal.CCC.text(3), a.MeanCCC.text(3))
	}
	if u := r.Units; u != nil {
		fmt.Fprintf(w, "\naction units\n  macro F1              %s\n  average precision     %s\n  AUC                   %s\n",
			u.MacroF1.text(3), u.MacroAP.text(3), u.MacroAUC.text(3))
		if u.MeanRank.known() {
			fmt.Fprintf(w, "  mean Spearman         %s\n", u.MeanRank.text(3))
		}
		fmt.Fprintf(w, "  %-27s %13s  %-24s %-24s %-24s\n", "", "positive of", "F1", "average precision", "AUC")
		for _, s := range u.Units {
			name := s.Name
			if s.Weak {
				name += " *"
			}
			fmt.Fprintf(w, "  %-27s %5d of %5d %-24s %-24s %-24s\n", name, s.Positives, s.Pictures, s.F1.text(3), s.AP.text(3), s.AUC.text(3))
		}
		for _, s := range u.Units {
			if s.Weak {
				fmt.Fprintln(w, "  * the card calls it too weak for a default alarm")
				break
			}
		}
		if t := u.Best; t != nil {
			fmt.Fprintf(w, "  thresholds chosen on %d pictures, macro F1 on the other %d\n    chosen              %s\n    the card's          %s\n",
				t.Validation, t.Rest, t.MacroF1.text(3), t.MacroF1AtCard.text(3))
		}
	}
	for _, v := range r.Visibility {
		fmt.Fprintf(w, "\nvisibility of the %s (%d pictures, %d covered)\n  F1 visible            %s\n  F1 covered            %s\n",
			v.Part, v.Pictures, v.Covered, v.F1Visible.text(3), v.F1Covered.text(3))
	}
	if r.MTL != nil {
		fmt.Fprintf(w, "\nP_MTL                   %s\n", r.MTL.text(3))
	}
	if g := r.Groups; g != nil && len(g.scores) > 0 {
		fmt.Fprintf(w, "\ngroups%s\n", strings.Repeat(" ", 22))
		for _, name := range g.scores {
			fmt.Fprintf(w, "  %s (worst to best %.2f)\n", name, g.WorstToBest[name])
			for _, x := range g.Groups {
				mark := ""
				if x.differs[name] {
					mark = "  differs"
				}
				fmt.Fprintf(w, "    %-22s %5d   %s%s\n", x.Group, x.Pictures, x.Scores[name].text(3), mark)
			}
		}
	}
	if len(r.Warnings)+len(r.Unread) > 0 {
		fmt.Fprintln(w, "\nmind")
	}
	for _, text := range r.Warnings {
		fmt.Fprintf(w, "  - %s\n", text)
	}
	for i, text := range r.Unread {
		if i == mostProblems {
			fmt.Fprintf(w, "  - and %d more pictures without an answer (-json lists them)\n", len(r.Unread)-i)
			break
		}
		fmt.Fprintf(w, "  - %s\n", text)
	}
}
