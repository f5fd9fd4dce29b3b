package main

import (
	"fmt"
	"time"

	"mien/model/face"
	"mien/model/pixel"
)

// kept gives the faces of one picture, for each way it is turned, without searching
// again.
type kept struct {
	finder face.Finder
	faces  [4][]face.Face
	known  [4]bool
}

func (k *kept) Search(img *pixel.Image, part face.Part, faces []face.Face) ([]face.Face, error) {
	turn := (img.Mounting.Turn + part.Turn) & 3
	if !k.known[turn] {
		found, err := k.finder.Search(img, part, nil)
		if err != nil {
			return faces[:0], err
		}
		k.faces[turn], k.known[turn] = found, true
	}
	return append(faces[:0], k.faces[turn]...), nil
}

// turned shows each picture, as it is and turned, for two minutes to what watches
// over the camera's mounting: a person who does not move at all, which is harder
// than one who does.
func turned(list [][]byte) error {
	detector, err := face.OpenDetector(face.DetectorOptions{Luma: true})
	if err != nil {
		return err
	}
	defer detector.Close()
	c, err := newCanvas()
	if err != nil {
		return err
	}
	decoder := pixel.NewDecoder("")
	type count struct{ shown, found, unread, right, other, none int }
	var counts [4]count
	for _, j := range list {
		img, err := decoder.Decode(j, pixel.DecodeOptions{})
		if err != nil {
			continue
		}
		if err := c.fill(&img, pixel.Letterbox(width, height, img.Width, img.Height)); err != nil {
			return err
		}
		k := &kept{finder: detector}
		if faces, err := k.Search(&c.grey, face.Part{}, nil); err != nil {
			return err
		} else if len(faces) == 0 {
			continue
		}
		for t := range counts {
			shown := c.grey
			shown.Mounting.Turn = t
			u := face.NewUpright(k)
			seen, err := k.Search(&shown, face.Part{}, nil)
			n := &counts[t]
			for at := time.Duration(0); err == nil && at < 2*time.Minute; at += time.Second {
				err = u.Look(&shown, face.Part{}, seen, at)
				if turns, _ := u.Turned(); at == 0 && len(seen) > 0 && (turns != 0 || u.Unsure()) {
					n.unread++
				}
			}
			if err != nil {
				return err
			}
			n.shown++
			if len(seen) > 0 {
				n.found++
			}
			switch turns, held := u.Turned(); {
			case held < time.Minute:
				n.none++
			case (turns+t)%4 == 0:
				n.right++
			default:
				n.other++
			}
		}
	}
	fmt.Print("\nPictures with a face, turned; told after a minute\n\n| turned by | pictures | face found as it is | and not read from its first frame on | told, with the right turn | told, with another turn | not told |\n|---|---|---|---|---|---|---|\n")
	for t, n := range counts {
		share := func(part int) string { return fmt.Sprintf("%.1f%%", 100*float64(part)/float64(max(n.shown, 1))) }
		fmt.Printf("| %d | %d | %s | %s | %s | %s | %s |\n", 90*t, n.shown, share(n.found), share(n.unread), share(n.right), share(n.other), share(n.none))
	}
	return nil
}
