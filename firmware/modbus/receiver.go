package modbus

// maxADU is the longest RTU frame: address, 253 bytes of PDU, CRC (V1.02, 2.4).
const maxADU = 256

// maxStarts bounds the places at which a frame may have begun.
const maxStarts = 8

// kind is whose a frame is.
type kind uint8

const (
	kindRequest kind = iota // for us, or for all
	kindReply               // under our address, but not for us to answer
	kindOther
)

// A start is a place in the buffer where a frame may begin.
type start struct {
	at  int
	pos int    // the bytes from at to pos are in crc
	crc uint16 // 0 after a whole frame
	end int    // where the frame ends, 0 while that is not known
	// second is where it ends if it is not what was expected, a request or a
	// reply, but the other.
	second int
}

// receiver finds frames in what comes from the line.
//
// A frame ends where the length that its function code implies is reached and
// the CRC is right; this needs no timing, so that frames which an adapter
// delivers in pieces or glued together are found all the same. Where the
// stream makes no sense, a frame can begin again only after a silent interval,
// never in the middle of characters: the data of other slaves may look like
// anything. Because silence may also be an adapter's pause within a frame,
// both are tried, a frame that goes on and one that begins; where both come
// out right, the one that begins after the silence is it.
type receiver struct {
	address byte
	asked   byte // the other slave that the frame before was a request to, or 0

	buf    [2 * maxADU]byte
	n      int
	starts [maxStarts]start
	count  int // of starts; 0: nothing can begin before the next silence

	frame []byte // what next or gap found, valid until the next call
	kind  kind

	errors, overruns uint32
}

func (r *receiver) reset() {
	r.n, r.count = 0, 1
	r.starts[0] = start{crc: 0xFFFF}
}

// waiting says that silence would change something.
func (r *receiver) waiting() bool { return r.n > 0 || r.count == 0 }

// spoil drops what is there: characters came damaged. Nothing can begin before
// the next silence.
func (r *receiver) spoil() {
	r.n, r.count = 0, 0
	r.errors++
}

// feed takes at most maxADU characters; next then finds the frames in them.
//
// Where the line turns around, one character 00 or FF may come before a request: it
// may begin there, or behind it.
func (r *receiver) feed(p []byte) {
	if r.count == 0 {
		return
	}
	before := r.n
	r.n += copy(r.buf[r.n:], p)
	if before < 2 && r.n >= 2 && r.count == 1 && r.starts[0].at == 0 && (r.buf[0] == 0 || r.buf[0] == 0xFF) && r.buf[1] == r.address {
		r.starts[1] = start{at: 1, pos: 1, crc: 0xFFFF}
		r.count = 2
	}
}

// next finds a whole frame.
func (r *receiver) next() bool {
	for i := range r.starts[:r.count] {
		r.advance(&r.starts[i])
	}
	open := false // a later start may still become a frame
	for i := r.count - 1; i >= 0; i-- {
		s := &r.starts[i]
		switch {
		case s.end > 0 && !open && !r.doubtful(i) && !r.within(i), s.end > 0 && !r.ours(s) && r.n-s.at > maxADU:
			r.take(i, s.end)
			return true
		case s.end == 0 && incomplete(r.buf[s.at:r.n]):
			open = true
		}
	}
	r.trim()
	return false
}

// advance looks for the end of the frame that begins at s. Both as a request
// and as a reply it may have a right CRC by chance, or because a CRC whose last
// character is 0 seems right one character early. What we expect goes first.
func (r *receiver) advance(s *start) {
	for s.end == 0 && s.pos < r.n && s.pos-s.at < maxADU {
		was := s.crc
		s.crc = AddCRC(s.crc, r.buf[s.pos])
		s.pos++
		length := s.pos - s.at
		if was == 0 && s.crc != 0 && length > 4 && !r.ours(s) && r.open(s) {
			s.end = s.pos - 1
			return
		}
		if s.crc != 0 || length < 4 {
			continue
		}
		switch first, second := r.expected(s); {
		case first == length:
			s.end = s.pos
		case second == length && s.second == 0:
			s.second = s.pos
		}
	}
	if s.end == 0 && s.second > 0 {
		if first, _ := r.expected(s); first > maxADU || first <= s.pos-s.at {
			s.end = s.second
		}
	}
}

// expected are the lengths of the frame at s, first as what it should be: a
// request, but a reply where the frame before was a request to that slave.
func (r *receiver) expected(s *start) (first, second int) {
	request, reply := lengths(r.buf[s.at:s.pos])
	if address := r.buf[s.at]; address != r.address && address != 0 && address == r.asked {
		return reply, request
	}
	return request, reply
}

// open says that only the CRC can tell where the frame of another slave that
// begins at s ends.
func (r *receiver) open(s *start) bool {
	request, _ := lengths(r.buf[s.at:s.pos])
	return request == unknown
}

// doubtful says that start i became a frame only together with characters from
// behind a silence, and that more came with these. The last piece of a frame
// that an adapter took apart ends with the frame; here the beginning of one
// frame may have met another, with a CRC that is right by chance.
func (r *receiver) doubtful(i int) bool {
	s := &r.starts[i]
	return s.end > 0 && s.end < r.n && i+1 < r.count && r.starts[i+1].at < s.end
}

// within says that what begins at start i, a request for us or something that
// only its CRC makes a frame, is in the data of a longer frame that began
// before a silence, or may do so as long as that frame goes on. Only when
// silence follows was it a frame.
func (r *receiver) within(i int) bool {
	request := &r.starts[i]
	if !r.ours(request) && !r.open(request) {
		return false
	}
	for _, s := range r.starts[:i] {
		if s.end > request.end {
			return true
		}
		// The data of a frame come after address, function and length, and
		// before its CRC, of which a request may have the first half by chance.
		if s.end == 0 && request.at >= s.at+3 && holds(r.buf[s.at:request.at], request.end+1-s.at) {
			return true
		}
	}
	return false
}

// ours says that the frame at s is for us or for all.
func (r *receiver) ours(s *start) bool {
	return r.buf[s.at] == r.address || r.buf[s.at] == 0
}

// gap is called when the line was silent for the silent interval, and again,
// with final, when nothing more is to be expected. It returns true when the
// silence ended a frame, which it did where the length says nothing: a
// function code or a length outside the specification. Then next may find
// more, and gap is to be called again. A frame that is too short waits for
// final: its last character may still be on its way, and one frame in 256 has
// a right CRC without it.
func (r *receiver) gap(final bool) bool {
	if r.n == 0 {
		if r.count == 0 {
			r.reset()
		}
		return false
	}
	open := false // a later start may still become a frame
	for i := r.count - 1; i >= 0; i-- {
		s := &r.starts[i]
		end := s.end
		if end == 0 {
			end = s.second
		}
		switch {
		case end == 0:
		case r.ours(s) && r.doubtful(i), end < r.n && r.within(i):
			continue
		case open && !final && !r.ours(s) && (end == r.n || CRC(r.buf[end:r.n]) != 0):
			// Another's frame can wait until the later start has shown what
			// it is.
			continue
		}
		part := incomplete(r.buf[s.at:r.n])
		unbroken := i+1 == r.count || r.starts[i+1].at == r.n
		if unbroken && s.crc == 0 && s.pos == r.n && r.n-s.at >= 4 && (final || !part) {
			end = r.n
		}
		if end > 0 {
			r.take(i, end)
			return true
		}
		open = open || part && s.at < r.n
	}
	// What may still become a frame stays, and the next character may begin
	// another.
	keep := 0
	for _, s := range r.starts[:r.count] {
		if s.at < r.n && (incomplete(r.buf[s.at:r.n]) || s.end > 0 && !r.ours(&s)) {
			r.starts[keep] = s
			keep++
		}
	}
	if keep == 0 {
		r.errors++
		r.reset()
		return false
	}
	if keep == maxStarts {
		copy(r.starts[:], r.starts[1:])
		keep--
	}
	r.starts[keep] = start{at: r.n, pos: r.n, crc: 0xFFFF}
	r.count = keep + 1
	return false
}

// giveUp drops the pieces of a frame that nobody completed.
func (r *receiver) giveUp() {
	if r.n > 0 {
		r.errors++
	}
	r.reset()
}

// take makes the frame from start i to end the one found. What came before it
// was none, and what follows may begin one.
func (r *receiver) take(i, end int) {
	b := r.buf[r.starts[i].at:end]
	r.frame = b
	request, reply := lengths(b)
	switch {
	case b[0] == 0 && request != len(b) && request != unknown:
		r.kind = kindOther // nobody answers under address 0
	case b[0] == 0:
		r.kind = kindRequest
	case b[0] != r.address:
		r.kind = kindOther
	case b[1] >= 0x80, request != len(b) && reply == len(b) && served(b[1]):
		r.kind = kindReply
	default:
		r.kind = kindRequest
	}
	r.asked = 0
	if r.kind == kindOther && request == len(b) {
		r.asked = b[0]
	}
	if i > 0 {
		r.errors++
	}
	keep := 1
	for _, s := range r.starts[i+1 : r.count] {
		if s.at > end {
			r.starts[keep] = s
			keep++
		}
	}
	r.starts[0] = start{at: end, pos: end, crc: 0xFFFF}
	r.count = keep
	if end == r.n {
		r.reset()
	}
}

// trim drops starts with more characters behind them than a frame has, and
// then the characters before the first start.
func (r *receiver) trim() {
	keep := 0
	for _, s := range r.starts[:r.count] {
		if r.n-s.at <= maxADU {
			r.starts[keep] = s
			keep++
		}
	}
	if keep == 0 && r.count > 0 {
		r.overruns++
		r.errors++
		r.n = 0
	}
	r.count = keep
	if keep == 0 || r.starts[0].at == 0 {
		return
	}
	shift := r.starts[0].at
	copy(r.buf[:], r.buf[shift:r.n])
	r.n -= shift
	for i := range r.starts[:keep] {
		s := &r.starts[i]
		s.at -= shift
		s.pos -= shift
		if s.end > 0 {
			s.end -= shift
		}
		if s.second > 0 {
			s.second -= shift
		}
	}
}

func (r *receiver) takeErrors() uint32 {
	n := r.errors
	r.errors = 0
	return n
}

func (r *receiver) takeOverruns() uint32 {
	n := r.overruns
	r.overruns = 0
	return n
}

// unknown is the length of a frame whose function code tells none; its end is
// where the CRC comes out right, or the silence.
const unknown = -1

// lengths are those of the frame that begins with b, CRC included, if it is a
// request and if it is a reply: 0 while too little has come to tell, unknown,
// or more than maxADU if it cannot be one (V1.1b3, chapter 6).
func lengths(b []byte) (request, reply int) {
	if len(b) < 2 {
		return 0, 0
	}
	// counted is the length of a frame of fixed bytes, in which byte number at
	// counts the others.
	counted := func(fixed, at int) int {
		if len(b) <= at {
			return 0
		}
		return fixed + int(b[at])
	}
	const never = maxADU + 1
	switch fc := b[1]; {
	case fc >= 0x80:
		return never, 5
	case fc == 1 || fc == 2:
		reply = counted(5, 2)
		if reply == 5 {
			reply = never
		}
		return 8, reply
	case fc == 3 || fc == 4:
		reply = counted(5, 2)
		if reply == 5 || reply != 0 && reply%2 == 0 {
			reply = never
		}
		return 8, reply
	case fc == 5 || fc == 6 || fc == 8:
		return 8, 8
	case fc == 7:
		return 4, 5
	case fc == 11:
		return 4, 8
	case fc == 12 || fc == 17:
		return 4, counted(5, 2)
	case fc == 15 || fc == 16:
		return counted(9, 6), 8
	case fc == 20 || fc == 21:
		return counted(5, 2), counted(5, 2)
	case fc == 22:
		return 10, 10
	case fc == 23:
		return counted(13, 10), counted(5, 2)
	case fc == 24:
		if len(b) < 4 {
			return 6, 0
		}
		return 6, min(6+int(b[2])<<8+int(b[3]), never)
	case fc == 43:
		return identLengths(b)
	}
	return unknown, unknown
}

// identLengths are those of function 43; only MEI type 14 tells them.
func identLengths(b []byte) (request, reply int) {
	if len(b) < 3 {
		return 0, 0
	}
	if b[2] != meiIdent {
		return unknown, unknown
	}
	// Address, function, MEI type, code, conformity, more, next, number, then
	// number times object, length, bytes.
	if len(b) < 8 {
		return 7, 0
	}
	at := 8
	for range b[7] {
		if at+1 >= len(b) {
			return 7, 0
		}
		at += 2 + int(b[at+1])
	}
	return 7, at + 2
}

// incomplete says whether more characters can make a frame of b.
func incomplete(b []byte) bool {
	request, reply := lengths(b)
	return request == 0 || reply == 0 || request > len(b) && request <= maxADU || reply > len(b) && reply <= maxADU
}

// holds says whether the frame that begins with b has that many characters.
func holds(b []byte, length int) bool {
	request, reply := lengths(b)
	return request >= length && request <= maxADU || reply >= length && reply <= maxADU
}
