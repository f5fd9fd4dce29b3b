// Package pilot records what the networks said of each frame, and computes again
// what followed from it: levels, readings, alarms. With the settings in force the
// same alarm events come out, each at the same frame; with others, what would have
// been. Marks and drills say what was true.
//
// A recording has no pixel, no name and nothing from which a face could be found
// again. Of a frame it has the raw elements of the networks' output tensors,
// times, the quality reason, the face's width and score, the view and the light.
// Outputs that say what somebody feels (expressions, valence, arousal) are in it
// only while unit.purpose is set: without, they reach no alarm, so that nothing
// that is computed again needs them. Who gave a command is a number ("person 1"),
// and what a person wrote with it a sum; both are the same for the same.
//
// # Ways
//
// The unit hands a Recorder each frame, each call of the alarm engine and each
// event. The recorder encodes into one of two buffers of fixed size, under a lock
// that is held for a copy; it allocates nothing for a frame, and what has no room
// is counted and ends the stretch. A Keeper takes the buffer every few seconds and
// appends it to the file. Frame and affect.Views are the step that the unit and
// a Player share: there is no second way from outputs to readings.
//
// # Files
//
// They lie in the folder pilot of the state folder (mode 0700), pilot.json beside
// them says what is in force. A recording is PILOT-NNNNNN.rec (mode 0600): PILOT is
// a random number of the pilot, NNNNNN counts its files. A file is one stretch
// without a gap: a new one begins with each start of the unit, after records that
// had no room, when the purpose changes, and once a day.
//
//	"mienrec" and the version, 1 byte: '1'
//	chunk ...
//
// A chunk is appended and synced every 5 s: a kill or a power cut loses what is
// younger, and no chunk before it. All numbers are little-endian.
//
//	length of the body in bytes, 4; with bit 31 the body is stored as it is, else
//	it is a deflate stream (RFC 1951)
//	CRC-32C of these 4 bytes and the body, 4
//	body
//
// The first chunk is a Beginning as JSON: the networks' cards and tensors, the
// settings, and all that filters and alarms held then. The others are records, one
// after the other: a byte that says which, and what belongs to it. Times are
// differences to those of the record before in the chunk, zigzag varints in ns;
// the first of a chunk is against 0.
//
//	1 frame    flags, times, reason, and what the flags name (see frame.go)
//	2 step     of the alarms without a frame: results are not fresh, or a fault stops the unit
//	3 command  that the alarm engine took: length as a varint, JSON
//	4 source   whose rate the engine looked at: likewise
//	5 reload   of the alarms' definitions: likewise
//	6 eye      the networks were opened anew, filters begin anew: likewise
//	7 event    of an alarm, as the unit told it: likewise
//	8 mark     likewise
//	9 drill    what a person was asked: likewise
//
// A reader takes a file up to the first chunk that is cut or damaged, and says so.
// A kind that it does not know ends the file likewise.
package pilot
