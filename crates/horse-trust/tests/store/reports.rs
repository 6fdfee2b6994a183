//! Reports, what becomes of them, and what was said around each.

use std::sync::Arc;

use futures_util::future::join_all;
use horse_trust::id::Id;
use horse_trust::store::{
    Actor, Conversation, NewAuditEntry, NewReport, Report, ReportDecision, ReportQuery, ReportState, Result,
    Store, StoreError,
};

use crate::fixture::store::{
    ALWAYS, AnyStore, all_reports, append, change, id, mark_read, open, read_page, seqs, soon,
};

fn report(
    store: &dyn Store,
    conversation: &Arc<Conversation>,
    seq: i64,
    reason: &str,
) -> impl Future<Output = Result<Id>> {
    let report = NewReport {
        conversation: Arc::clone(conversation),
        seq,
        reporter: id("ben"),
        reason: reason.to_owned(),
    };
    soon(store.report(report))
}

pub(crate) async fn reports_keep_what_was_said(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    for text in ["kept", "deleted"] {
        append(&*store, &conversation, "ann", text).await.unwrap();
    }
    change(&*store, &conversation, 2, None, ALWAYS).await;
    let report = |seq, reason: &'static str| report(&*store, &conversation, seq, reason);
    let first = report(1, "reason 1").await.unwrap();
    // At once, over whatever connections: one of them is kept.
    let all = join_all((0..6).map(|_| report(2, "reason 2"))).await;
    let second = all[0].as_ref().unwrap();
    assert!(all.iter().all(|report| report.as_ref().unwrap() == second), "{all:?}");
    assert_eq!(report(1, "another").await.unwrap(), first);
    let message = read_page(&*store, &conversation, 1, 10).await[0].id.clone();
    assert_eq!(soon(store.report_by(&id("ben"), &message)).await.unwrap(), Some(first.clone()));
    assert_eq!(soon(store.report_by(&id("ann"), &message)).await.unwrap(), None);
    assert!(matches!(report(3, "nothing").await, Err(StoreError::Engine(_))));
    let reports = soon(store.reports(all_reports(10))).await.unwrap();
    let found: Vec<_> =
        reports.iter().map(|report| (&report.id, report.text.as_str(), report.reason.as_str())).collect();
    assert_eq!(found, [(second, "deleted", "reason 2"), (&first, "kept", "reason 1")]);
    assert_eq!((&reports[0].sender, &reports[0].reporter, reports[0].seq), (&id("ann"), &id("ben"), 2));
    let skipped = ReportQuery { skip: 1, ..all_reports(1) };
    assert_eq!(soon(store.reports(skipped)).await.unwrap()[0].id, first);
}

/// An empty note takes the note away.
fn decision(state: ReportState, note: Option<&str>) -> ReportDecision {
    ReportDecision { state, note: note.map(|note| Some(note.to_owned()).filter(|note| !note.is_empty())) }
}

pub(crate) async fn reports_are_decided_and_listed_by_what_became_of_them(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    let mut ids = Vec::new();
    for seq in 1..=5 {
        append(&*store, &conversation, "ann", "rude").await.unwrap();
        ids.push(report(&*store, &conversation, seq, "rude").await.unwrap());
    }
    let listed = async |query| -> Vec<i64> {
        let reports = soon(store.reports(query)).await.unwrap();
        reports.iter().map(|report| report.seq).collect()
    };
    let of = |state| ReportQuery { state: Some(state), ..all_reports(10) };
    let boss = Actor::User(id("boss"));
    let decide = async |id: &Id, decision| -> Option<Report> {
        let entry = NewAuditEntry::new(boss.clone(), "report.decide", Some(id.clone()));
        soon(store.decide_report(id, decision, entry)).await.unwrap()
    };
    let new = soon(store.report_with_id(&ids[1])).await.unwrap().unwrap();
    assert_eq!((new.state, new.note, new.decided_at, new.decided_by), (ReportState::Open, None, None, None));

    let resolved = decide(&ids[1], decision(ReportState::Resolved, Some("warned"))).await.unwrap();
    assert_eq!(
        (&resolved.id, resolved.state, resolved.note.as_deref()),
        (&ids[1], ReportState::Resolved, Some("warned"))
    );
    assert_eq!(resolved.decided_by, Some(boss.clone()));
    assert!(resolved.decided_at.unwrap() >= resolved.reported_at);
    decide(&ids[3], decision(ReportState::Dismissed, None)).await.unwrap();
    assert_eq!(listed(of(ReportState::Open)).await, [5, 3, 1]);
    assert_eq!(listed(of(ReportState::Resolved)).await, [2]);
    assert_eq!(listed(of(ReportState::Dismissed)).await, [4]);
    assert_eq!(listed(all_reports(10)).await, [5, 4, 3, 2, 1]);

    // What is decided while a list is read in parts moves nothing to another part.
    let first = soon(store.reports(ReportQuery { limit: 2, ..of(ReportState::Open) })).await.unwrap();
    assert_eq!(first.iter().map(|report| report.seq).collect::<Vec<_>>(), [5, 3]);
    decide(&ids[4], decision(ReportState::Resolved, None)).await.unwrap();
    let rest = ReportQuery { after: Some(first[1].key), ..of(ReportState::Open) };
    assert_eq!(listed(rest).await, [1]);

    // A note that is not named stays, and a report can be opened again.
    let again = decide(&ids[1], decision(ReportState::Open, None)).await.unwrap();
    assert_eq!((again.state, again.note.as_deref()), (ReportState::Open, Some("warned")));
    let bare = decide(&ids[1], decision(ReportState::Open, Some(""))).await.unwrap();
    assert_eq!(bare.note, None);
    assert!(decide(&id("unknown"), decision(ReportState::Resolved, None)).await.is_none());
    assert!(soon(store.report_with_id(&id("unknown"))).await.unwrap().is_none());

    let noted = soon(store.audit(None, 10)).await.unwrap();
    let noted: Vec<_> =
        noted.iter().map(|entry| (entry.actor.clone(), entry.target.clone().unwrap())).collect();
    let decided = [1, 1, 4, 3, 1].map(|report: usize| (Some(boss.clone()), ids[report].clone()));
    assert_eq!(noted, decided, "each decision is noted, and none of a report that is not there");
}

pub(crate) async fn what_was_said_around_a_message_is_found(store: AnyStore) {
    let conversation = open(&*store, "ann", "ben").await;
    for n in 1..=30 {
        append(&*store, &conversation, "ann", &format!("{n}")).await.unwrap();
    }
    change(&*store, &conversation, 14, None, ALWAYS).await;
    change(&*store, &conversation, 15, Some("edited"), ALWAYS).await;
    mark_read(&*store, &conversation, "ben").await.unwrap();
    let empty = open(&*store, "ann", "cat").await;
    let places = [
        (conversation.id.clone(), 15),
        (id("unknown"), 1),
        (empty.id.clone(), 1),
        (conversation.id.clone(), 2),
        (conversation.id.clone(), 30),
        (conversation.id.clone(), 100),
    ];
    let found = soon(store.surroundings(places.to_vec(), 3)).await.unwrap();
    let numbers: Vec<_> =
        found.iter().map(|found| found.as_ref().map(|(_, messages)| seqs(messages))).collect();
    let expected: [Option<&[i64]>; 6] = [
        Some(&[12, 13, 14, 15, 16, 17, 18]),
        None,
        Some(&[]),
        Some(&[1, 2, 3, 4, 5]),
        Some(&[27, 28, 29, 30]),
        Some(&[]),
    ];
    assert_eq!(numbers, expected.map(|seqs| seqs.map(<[_]>::to_vec)));
    let (of, messages) = found[0].as_ref().unwrap();
    assert_eq!((of, messages[0].text.as_str(), messages[0].is_read), (&conversation, "12", true));
    assert_eq!((messages[2].text.as_str(), messages[2].deleted_at.is_some()), ("", true));
    assert_eq!((messages[3].text.as_str(), messages[3].edited_at.is_some()), ("edited", true));
}
