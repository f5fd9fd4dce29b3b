// Package drift compares what a unit sees with what it saw in the pilot, day by day:
// levels by signal, why a face could not be read, light, size. A change beyond chance
// is told, with what has changed and since when.
//
// # What is kept
//
// Of each quantity three sums a day (seconds, and over them the quantity and its
// square), and of a baseline mean, spread and number of days. No frame, no time of a
// day and no person is in it. A signal that infers an emotion takes part only while
// unit.purpose is set. It is one file of some kilobytes, drift.json in the folder
// of the recordings (mode 0600), written anew every few minutes.
//
// # How days are compared
//
// Frames of one session are not independent of each other, nor are sessions of one
// person. So a day is one observation, and what days differ by is learnt from those
// of the pilot. A day counts that is not cut by a clock that was set, and in which a
// face was read for half of the usual time.
//
// The mean of the newest day, of three and of ten is compared with the baseline's. A
// limit is Student's t for the days of the baseline, times what such means differ by:
//
//	between * sqrt(v(window)/window + v(days)/days)
//
// where v is how much more means of days differ because days in a row are like each
// other: a crew that changes weekly, the weather. The chance of a false one is
// shared out over all quantities and windows (Bonferroni), so that it holds for the
// unit and not for a signal. A change that is too small to matter is not told,
// however certain it is. What was told ends when it is within half of the limit.
package drift
