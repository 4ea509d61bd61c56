use super::*;

const NOON: Timestamp = Timestamp::from_micros(1_780_000_000_000_000);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The server's clock shows noon when the machine's monotonic clock is zero. An answer to a question
/// that took `there` to get to it and `back` to return.
fn answer(sent: Duration, there: Duration, back: Duration) -> Answer {
    Answer { sent, server: NOON.after(sent + there), received: sent + there + back }
}

/// How far apart two moments are.
fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.since(other).max(other.since(one))
}

#[test]
fn an_answer_is_taken_to_be_from_the_middle_of_its_way() {
    let mut known = Known::of(answer(ms(500), ms(10), ms(10)));
    assert_eq!(known.show(ms(520)), NOON.after(ms(520)));
    assert_eq!(known.show(ms(60_000)), NOON.after(ms(60_000)), "and counted on from there");
    let mut known = Known::of(answer(ms(500), ms(0), ms(20)));
    assert_eq!(known.show(ms(520)), NOON.after(ms(510)), "it is off by half of the way at most");
}

#[test]
fn a_quick_answer_counts_for_more_than_slow_ones() {
    let mut known = Known::of(answer(ms(0), ms(0), ms(400)));
    known.take_in(answer(ms(1_000), ms(1), ms(1)));
    known.take_in(answer(ms(2_000), ms(600), ms(0)));
    let off = apart(known.show(ms(3_000)), NOON.after(ms(3_000)));
    assert!(off <= ms(3), "{off:?}: a part in a thousand of two seconds, and the quick round trip");
}

#[test]
fn two_slow_answers_say_more_than_one() {
    let mut known = Known::of(answer(ms(0), ms(0), ms(400)));
    known.take_in(answer(ms(500), ms(400), ms(0)));
    let off = apart(known.show(ms(1_000)), NOON.after(ms(1_000)));
    assert!(off <= ms(1), "{off:?}: no moment but the true one fits both");
}

#[test]
fn machines_that_disagree_about_everything_else_agree_about_the_present() {
    // The one was booted an hour before the other, and is farther away from the server.
    let mut near = Known::of(answer(ms(0), ms(1), ms(1)));
    let far = Answer { sent: ms(3_600_000), server: NOON.after(ms(30)), received: ms(3_600_060) };
    let mut far = Known::of(far);
    assert_eq!(near.show(ms(10_000)), far.show(ms(3_610_000)));
}

#[test]
fn it_stands_still_where_it_was_ahead() {
    let mut known = Known::of(answer(ms(0), ms(0), ms(100)));
    let mut early = Known::of(answer(ms(0), ms(100), ms(0)));
    let ahead = early.show(ms(1_000));
    assert_eq!(ahead, NOON.after(ms(1_050)));
    early.take_in(answer(ms(1_000), ms(0), ms(0)));
    known.take_in(answer(ms(1_000), ms(0), ms(0)));
    assert_eq!(early.show(ms(1_001)), ahead, "it does not run backwards");
    assert_eq!(early.show(ms(1_049)), ahead);
    assert_eq!(early.show(ms(1_060)), NOON.after(ms(1_060)));
    assert_eq!(known.show(ms(1_001)), NOON.after(ms(1_001)), "one that was behind goes on at once");
}

#[test]
fn a_machine_that_runs_too_fast_is_corrected() {
    let mut known = Known::of(answer(ms(0), ms(0), ms(0)));
    // A part in two thousand too fast: its hour is 1.8 s short.
    let late = Answer { sent: ms(3_600_000), server: NOON.after(ms(3_598_200)), received: ms(3_600_000) };
    assert_eq!(known.show(ms(3_600_000)), NOON.after(ms(3_600_000)));
    known.take_in(late);
    assert_eq!(known.show(ms(3_600_000)), late.server, "more than a second");
}

#[test]
fn a_server_whose_clock_was_set_is_followed() {
    let hour = Duration::from_secs(3_600);
    let mut known = Known::of(answer(ms(0), ms(1), ms(1)));
    known.show(ms(10));
    let forward = Answer { server: NOON.after(hour), ..answer(ms(20), ms(0), ms(0)) };
    known.take_in(forward);
    assert_eq!(known.show(ms(20)), forward.server);
    let back = Answer { server: NOON.before(hour), ..answer(ms(30), ms(0), ms(0)) };
    known.take_in(back);
    assert_eq!(known.show(ms(30)), back.server, "newcomers would have that time too");
}
