//! Overwrites what SQLite leaves in the unused bytes of pages.
//!
//! `secure_delete` overwrites what is deleted where it lies. But when SQLite has distributed the rows of a full page over
//! several, copies of them may stay in the unused bytes of the first; and pages that were freed before `secure_delete` was
//! on hold what they held. So an erasure looks at all pages at its end, and overwrites what is not zero in free pages and in
//! the unused bytes of B-tree pages. Fragments of up to 3 bytes, and the ends of overflow and trunk pages, stay.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::store::SqliteStore;
use crate::store::error::Result;

/// How many pages one read looks at.
const LOOKED_AT_ONCE: u32 = 256;
/// How many pages one write overwrites: messages wait for it.
const OVERWRITTEN_AT_ONCE: usize = 16;
/// With fewer pages than this (128 GB) the first byte of a page tells a B-tree page from one that begins with a page's
/// number.
const MOST_PAGES: u32 = 0x0200_0000;

/// Overwrites the unused bytes of all pages.
pub(super) async fn scrub(store: &SqliteStore) -> Result<()> {
    let pages: u32 = store
        .readers
        .read(|connection| connection.pragma_query_value(None, "page_count", |row| row.get(0)))
        .await?;
    if pages >= MOST_PAGES {
        tracing::warn!("the file has 128 GB or more: its unused bytes are not overwritten after an erasure");
        return Ok(());
    }
    let free = Arc::new(store.readers.snapshot(|connection| free_pages(connection, |_| true)).await?);
    let mut first = 1;
    while first <= pages {
        let last = pages.min(first + LOOKED_AT_ONCE - 1);
        let known_free = Arc::clone(&free);
        let found = store
            .readers
            .snapshot(move |connection| {
                let mut found = Vec::new();
                for page in first..=last {
                    if overwritten(page, read(connection, page)?, known_free.contains(&page)).is_some() {
                        found.push(page);
                    }
                }
                Ok(found)
            })
            .await?;
        for part in found.chunks(OVERWRITTEN_AT_ONCE) {
            let part = part.to_vec();
            store.write(move |connection| Ok(overwrite(connection, &part)?)).await?;
        }
        first = last + 1;
    }
    Ok(())
}

/// Overwrites the unused bytes of these pages, as they now are.
fn overwrite(connection: &Connection, pages: &[u32]) -> rusqlite::Result<()> {
    let free = free_pages(connection, |page| pages.contains(&page))?;
    for page in pages {
        if let Some(data) = overwritten(*page, read(connection, *page)?, free.contains(page)) {
            connection
                .prepare_cached("UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1")?
                .execute(params![page, data])?;
        }
    }
    Ok(())
}

fn read(connection: &Connection, page: u32) -> rusqlite::Result<Vec<u8>> {
    connection
        .prepare_cached("SELECT data FROM sqlite_dbpage WHERE pgno = ?1")?
        .query_row([page], |row| row.get(0))
}

/// Those of the pages that are asked for which hold nothing (the file format's "leaf pages" of the free list).
fn free_pages(connection: &Connection, is_asked_for: impl Fn(u32) -> bool) -> rusqlite::Result<HashSet<u32>> {
    let mut free = HashSet::new();
    let mut seen = HashSet::new();
    let mut trunk = number(&read(connection, 1)?, 32);
    // A list that is damaged may have a circle.
    while trunk != 0 && seen.insert(trunk) {
        let data = read(connection, trunk)?;
        let most = data.len() / 4 - 2;
        let count = usize::try_from(number(&data, 4)).unwrap_or(most).min(most);
        free.extend((0..count).map(|index| number(&data, 8 + 4 * index)).filter(|page| is_asked_for(*page)));
        trunk = number(&data, 0);
    }
    Ok(free)
}

/// The page with zeros in its unused bytes; `None` if they are zero, or it is not known which are unused.
fn overwritten(page: u32, mut data: Vec<u8>, is_free: bool) -> Option<Vec<u8>> {
    if is_free {
        let is_changed = data.iter().any(|byte| *byte != 0);
        data.fill(0);
        return is_changed.then_some(data);
    }
    let mut is_changed = false;
    for range in unused(page, &data)? {
        let bytes = &mut data[range];
        is_changed |= bytes.iter().any(|byte| *byte != 0);
        bytes.fill(0);
    }
    is_changed.then_some(data)
}

/// The unused bytes of a B-tree page (section 1.6 of the file format); `None` for any other page.
fn unused(page: u32, data: &[u8]) -> Option<Vec<Range<usize>>> {
    let header = if page == 1 { 100 } else { 0 };
    let header_size = match data.get(header)? {
        // Of tables and of indexes: inner pages, which have one more field, and leaves.
        2 | 5 => 12,
        10 | 13 => 8,
        _ => return None,
    };
    let cells_end = header + header_size + 2 * short(data, header + 3)?;
    let content = match short(data, header + 5)? {
        0 => 65_536,
        content => content,
    };
    if cells_end > content || content > data.len() {
        return None;
    }
    let mut unused = Vec::new();
    let mut block = short(data, header + 1)?;
    let mut least = content;
    while block != 0 {
        let end = block + short(data, block + 2)?;
        // They lie in their order, and none overlaps.
        if block < least || end < block + 4 || end > data.len() {
            return None;
        }
        unused.push(block + 4..end);
        least = end;
        block = short(data, block)?;
    }
    unused.push(cells_end..content);
    Some(unused)
}

fn short(data: &[u8], place: usize) -> Option<usize> {
    data.get(place..place + 2).map(|bytes| usize::from(bytes[0]) << 8 | usize::from(bytes[1]))
}

fn number(data: &[u8], place: usize) -> u32 {
    data.get(place..place + 4).map_or(0, |bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A leaf of a table with one cell at the end, a free block before it, and `rest` everywhere else.
    fn page(rest: u8) -> Vec<u8> {
        let mut data = vec![rest; 512];
        data[..8].copy_from_slice(&[13, 1, 0xd0, 0, 1, 1, 0xd0, 0]);
        data[8..10].copy_from_slice(&[1, 0xf0]);
        data[0x1d0..0x1d4].copy_from_slice(&[0, 0, 0, 0x20]);
        data
    }

    #[test]
    fn only_unused_bytes_of_pages_that_are_understood_are_overwritten() {
        let clean = overwritten(2, page(7), false).expect("there is something to overwrite");
        assert_eq!(clean[..10], page(7)[..10], "the header and the cell's place");
        assert!(clean[10..0x1d0].iter().all(|byte| *byte == 0), "before the cells");
        assert_eq!(clean[0x1d0..0x1d4], [0, 0, 0, 0x20], "the free block's size");
        assert!(clean[0x1d4..0x1f0].iter().all(|byte| *byte == 0), "within the free block");
        assert!(clean[0x1f0..].iter().all(|byte| *byte == 7), "the cell");
        assert_eq!(overwritten(2, clean, false), None, "once");
        assert_eq!(overwritten(2, vec![7; 512], true), Some(vec![0; 512]), "a page that is free");
        assert_eq!(overwritten(2, vec![0; 512], false), None, "a page of another kind");
        for (place, byte) in [(5, 9), (3, 9), (0x1d2, 9), (1, 9), (0x1d3, 2)] {
            let mut damaged = page(7);
            damaged[place] = byte;
            assert_eq!(overwritten(2, damaged, false), None, "{place}");
        }
        for kind in [2, 5, 10, 13] {
            assert_eq!(unused(2, &[kind]), None, "a part of a page");
        }
    }
}
