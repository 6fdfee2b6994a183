//! Every form of file that `mongoexport` writes.

use super::files::{ANN, CONVERSATIONS, USERS, check, message, messages, rewritten};
use super::place::Place;
use crate::fixture::store::soon;

pub(crate) async fn lines_and_arrays_are_alike(place: Place) {
    let array = |lines: &str| {
        let records: Vec<_> = lines.lines().filter(|line| !line.is_empty()).collect();
        format!("\u{feff} \n[\n{}\r\n]\n", records.join(",\r\n"))
    };
    let conversations = CONVERSATIONS.trim().trim_matches(['[', ']']).replace("},\n", "}\n");
    assert_eq!(
        place.import_all(&array(USERS), &conversations, &array(&messages())),
        [(2, 0), (2, 0), (5, 0)]
    );
    let store = place.store().await;
    check(&*store).await;
    soon(store.close()).await;
}

pub(crate) async fn pretty_records_are_imported(place: Place) {
    let pretty = |lines: &str| {
        let records = rewritten(lines, |record| format!("{record:#}"));
        format!("\u{feff}{}\n", records.replace("  ", "\t")).replace('\n', "\r\n")
    };
    let files = (pretty(USERS), pretty(CONVERSATIONS), pretty(&messages()));
    assert_eq!(place.import_all(&files.0, &files.1, &files.2), [(2, 0), (2, 0), (5, 0)]);
    let store = place.store().await;
    check(&*store).await;
    soon(store.close()).await;
    // The line on which the record begins is the one that is named.
    let text = files.2.find("\"second\"").unwrap();
    let begin = files.2[..text].rfind("\n{").unwrap() + 1;
    let begins = files.2[..begin].matches('\n').count() + 1;
    assert!(begins > 5, "over several lines: {begins}");
    let refusal = place.refusal("messages.json", files.2.replacen("\"second\"", "7", 1));
    assert_eq!(refusal, format!("messages.json:{begins}: text: not a text"));
}

pub(crate) async fn only_what_is_read_has_to_be_right(place: Place) {
    let odd = |lines: &str| {
        rewritten(lines, |mut record| {
            record["rating"] = "RATING".into();
            let record = record.to_string();
            let record =
                record.replace("\"RATING\"", r#"NaN,"a":[-Infinity,undefined,"\ud800","NaN"],"2":1e999"#);
            // As older versions wrote dates.
            record.replace("Z\"}", "+0000\"}")
        })
    };
    let files = [odd(USERS), odd(CONVERSATIONS), odd(&messages())];
    assert!(files[2].contains(".000+0000\""), "{}", files[2]);
    assert_eq!(place.import_all(&files[0], &files[1], &files[2]), [(2, 0), (2, 0), (5, 0)]);
    let store = place.store().await;
    check(&*store).await;
    soon(store.close()).await;
    for (value, field) in [("NaN", "text"), ("-Infinity", "is_read"), ("undefined", "read_at")] {
        let record = message(
            7,
            &format!(
                r#""sender_id":"{ANN}","text":"x","is_read":false,"read_at":null,"sent_at":{{"$date":"2024-03-01T00:00:00Z"}}"#
            ),
        );
        let at = record.find(&format!("\"{field}\":")).unwrap() + field.len() + 3;
        let end = at + record[at..].find(',').unwrap();
        let refusal = place.refusal("messages.json", format!("{}{value}{}", &record[..at], &record[end..]));
        assert!(refusal.starts_with(&format!("messages.json:1: {field}: n")), "{refusal}");
    }
    let missing =
        message(7, r#""sender_id":"a","text":"x","sent_at":{"$date":"2024-02-30T00:00:00.000+0000"}"#);
    assert_eq!(place.refusal("messages.json", missing), "messages.json:1: sent_at: not a date");
}
