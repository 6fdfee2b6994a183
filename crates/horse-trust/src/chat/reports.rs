//! What admins read of reports, and decide.

use std::sync::Arc;

use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::access::store_failed;
use super::service::Chat;
use super::view;
use crate::contract::{REACH, Refusal};
use crate::id::Id;
use crate::store::{Actor, NewAuditEntry, Profile, Report, ReportDecision, ReportQuery, Surroundings};

/// Some reports as JSON, and the key of the last if there are more.
pub struct Reports {
    /// The reports, newest first.
    pub data: Vec<Box<RawValue>>,
    /// What `ReportQuery::after` takes for those that follow.
    pub cursor: Option<i64>,
}

impl Chat {
    /// Reports with what was said around each; for admins alone.
    pub async fn reports(&self, query: ReportQuery) -> Result<Reports, Refusal> {
        // One more than is asked for shows whether there are more.
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let query = ReportQuery { limit: query.limit.saturating_add(1), ..query };
        let mut reports = self.store.reports(query).await.map_err(store_failed("reports"))?;
        let has_more = reports.len() > limit;
        reports.truncate(limit);
        let cursor = reports.last().filter(|_| has_more).map(|report| report.key);
        Ok(Reports { data: self.with_surroundings(&reports).await?, cursor })
    }

    /// A report as JSON, with what was said around it; for admins alone.
    pub async fn report(&self, id: &str) -> Result<Box<RawValue>, Refusal> {
        let id = Id::parse(id).map_err(|_| Refusal::ReportNotFound)?;
        let report = self.store.report_with_id(&id).await.map_err(store_failed("report_with_id"))?;
        self.found(report).await
    }

    /// Notes a decision on a report; answers the report as it then is.
    pub async fn decide_report(
        &self,
        id: &str,
        decision: ReportDecision,
        actor: Actor,
    ) -> Result<Box<RawValue>, Refusal> {
        let id = Id::parse(id).map_err(|_| Refusal::ReportNotFound)?;
        let (state, by) = (decision.state.name(), actor.to_string());
        let entry = NewAuditEntry::new(actor, "report.decide", Some(id.clone()));
        let entry = entry.with(&json!({"state": state}));
        let report =
            self.store.decide_report(&id, decision, entry).await.map_err(store_failed("decide_report"))?;
        if report.is_some() {
            tracing::info!(report = %id, state, by, "a report was decided on");
        }
        self.found(report).await
    }

    async fn found(&self, report: Option<Report>) -> Result<Box<RawValue>, Refusal> {
        let report = report.ok_or(Refusal::ReportNotFound)?;
        let mut views = self.with_surroundings(std::slice::from_ref(&report)).await?;
        views.pop().ok_or(Refusal::StoreFailed)
    }

    async fn with_surroundings(&self, reports: &[Report]) -> Result<Vec<Box<RawValue>>, Refusal> {
        let places = reports.iter().map(|report| (report.conversation_id.clone(), report.seq)).collect();
        let found = self.store.surroundings(places, REACH).await.map_err(store_failed("surroundings"))?;
        let mut views = Vec::with_capacity(reports.len());
        for (report, surroundings) in reports.iter().zip(&found) {
            views.push(self.report_view(report, surroundings.as_ref()).await?);
        }
        Ok(views)
    }

    async fn report_view(
        &self,
        report: &Report,
        surroundings: Option<&Surroundings>,
    ) -> Result<Box<RawValue>, Refusal> {
        let reporter = self.profile(&report.reporter).await?;
        let sender = self.profile(&report.sender).await?;
        let profiles: [Option<Arc<Profile>>; 3] = match surroundings {
            Some((conversation, _)) => self.profiles_of(conversation).await?,
            None => [None, None, None],
        };
        let view = view::report(report, reporter.as_deref(), sender.as_deref(), surroundings, &profiles);
        Ok(to_raw_value(&view).expect("texts, numbers and booleans can always be written"))
    }
}
