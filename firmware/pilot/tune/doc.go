// Package tune finds an alarm's limit, deadband and delays from what a pilot
// recorded, and says with what certainty.
//
//	result, err := tune.Search(source, tune.Options{Signal: "au4", CostFalse: 10, CostMissed: 200,
//	        MostFalse: 1, Shift: 8 * time.Hour})
//
// # What counts
//
// The truth is known in spans, in which what the alarm is for was present all the
// time, or absent all the time. All other time is not observed and counts for
// nothing.
//
//   - An occurrence of an alarm lasts from the first frame of the condition that
//     raised it to the first frame of its absence that cleared it, by the rules of
//     firmware/alarm: limit and deadband, delays that Unknown and gaps pause, and the
//     hold of Unknown.
//   - An occurrence fits a present span when the two overlap, or are no further
//     apart than Options.Allow: people's marks are late.
//   - A false alarm is an occurrence that is raised within an absent span and fits no
//     present span.
//   - A present span is one true event. It is missed when no occurrence fits it:
//     also when there was a face that could not be read, because nobody was told.
//     A present span without any frame, in itself or in the allowance behind it, is
//     not observed.
//   - Observed time is time in a span between two frames that are no further apart
//     than Options.Stale, with a level or without: a unit that cannot read a face
//     raises nothing, on the line as in the pilot.
//   - A shift's time is observed time. In a session in which more than a fifth of it
//     is present, such as a drill, it is the absent part alone: nobody frowns for half
//     of his shift, and a drill must not make false alarms look rare.
//   - True events a shift are counted in the other sessions. Where there is none,
//     Options.Events must tell.
//
// A candidate whose false alarms stand for more than a twentieth of the time is no
// alarm, and is left out: it would be true by standing when something happens.
//
// # How it is computed
//
// Cost a shift = false alarms a shift x CostFalse + missed share x true events a
// shift x CostMissed. The recommended candidate is the one of least cost over all
// sessions whose upper bound of false alarms is within MostFalse. Its figures come
// from sessions on which it was not chosen: each session is scored by the candidate
// that the same rule finds on all others.
//
// Intervals are of 95 %. A session is one observation: alarms of one person on one
// day are not independent of each other. Where sessions differ by more than chance
// the counts are worth less by that ratio of variances (of the whole figure, in which
// sessions weigh by their size), made larger as Student's t does for few sessions, and
// exact intervals are taken for what they are worth: Garwood's for false alarms,
// Clopper and Pearson's for the missed share, as Korn and Graubard do for surveys. The
// cost has both, joined as Zou and Donner do. What was scored on others are alarms
// that are near the recommended one, and not always it: where few sessions choose, they
// scatter more than a figure of one alarm does. So each interval is made to hold that
// of the recommended alarm over all sessions as well. Sessions count as
// independent, as shifts of the people who work there are: where only some of them
// take part, the figures are of those, and not of the others.
//
// Too little data is an answer: Result.Enough is false, Needs says what is missing,
// and there is no limit.
package tune
