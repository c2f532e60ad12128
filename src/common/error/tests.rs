//! What errors show of texts that another program has written.

use super::*;

const LEN: usize = 1_400_000;

/// As long and as foreign as it can be.
fn foreign() -> String {
    "\u{1b}[31mé\r\n".repeat(LEN / 9)
}

#[track_caller]
fn assert_harmless(shown: &str, limit: usize, is_one_line: bool) {
    assert!(shown.len() <= limit, "{} bytes", shown.len());
    let harmful = |char: &char| char.is_control() && (is_one_line || *char != '\n');
    assert_eq!(shown.chars().find(harmful), None);
}

fn assert_error_is_harmless(error: &Error) {
    assert_harmless(&error.to_string(), 32 * 1024, true);
    assert_harmless(&format!("{error:?}"), 1024 * 1024, false);
    let mut source = error.source();
    while let Some(cause) = source {
        assert_harmless(&cause.to_string(), 32 * 1024, true);
        source = cause.source();
    }
}

#[test]
fn each_part_of_an_error_is_escaped_and_bounded() {
    let error = Error::new(ErrorKind::Spawn, foreign())
        .doing(foreign())
        .on(foreign())
        .advise(foreign())
        .quoting(Some(foreign()))
        .because(std::io::Error::other(foreign()));
    assert_error_is_harmless(&error);
    let cause = Error::new(ErrorKind::Spawn, "why").because(std::io::Error::other(foreign()));
    assert_harmless(&format!("{cause:?}"), 32 * 1024, false);
}

#[test]
fn long_part_hides_no_other() {
    let line = Error::new(ErrorKind::Spawn, foreign())
        .doing("x".repeat(LEN))
        .on("y".repeat(LEN))
        .advise("do this")
        .to_string();
    for part in ["xxx… on yyy", "yyy…: \\u{1b}[31m", "…; do this"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[test]
fn exception_of_a_hostile_daemon_is_escaped_and_bounded() {
    let exception = Exception {
        location: Some(foreign()),
        causes: vec![foreign(); 200],
        traceback: Some(foreign()),
        shortened: vec![foreign(); 3],
        advice: Some(foreign()),
        ..Exception::new(foreign(), foreign())
    };
    assert_harmless(&exception.to_string(), 32 * 1024, true);
    assert_harmless(&format!("{exception:?}"), 1024 * 1024, true);
    let untraced = Exception { traceback: None, ..exception.clone() };
    let panic = Exception { type_name: "panic".to_owned(), ..exception.clone() };
    for exception in [exception, untraced, panic] {
        let message = exception.message.clone();
        let error = Error::from_exception(exception);
        assert_error_is_harmless(&error);
        assert!(error.exception().is_some_and(|own| own.message() == message), "it is data");
    }
}

#[test]
fn death_that_another_process_reports_is_escaped_and_bounded() {
    let death = Death {
        whose: DeadProcess::Interpreter,
        pid: 1,
        status: Status::exited(1),
        reason: Some(foreign()),
        stderr: format!("{}\tlast\n", foreign()),
        uptime: Duration::ZERO,
    };
    let death = death.reported();
    assert!(death.stderr().len() <= 4 * 1024 && death.stderr().ends_with("\tlast\n"));
    assert!(!death.stderr().contains('\u{1b}'));
    assert_harmless(&death.to_string(), 32 * 1024, true);
    assert_error_is_harmless(&Error::from_death(Arc::new(death)));
}
