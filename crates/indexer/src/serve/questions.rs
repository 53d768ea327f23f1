//! Questions to the store and their answers, each of the type that its question has.

use crate::store::{
    After, Answer, Ask, Bounds, Cell, Filter, Hits, HourCount, Interval, Keyword, PlaceCount,
    Question, SentimentSummary, Sort, TermCount, TermSentiment, TimelineBucket,
};

/// Questions that are asked in one round trip.
#[derive(Default)]
pub(super) struct Questions(Vec<Ask>);

/// Stands for the answer to a question, which [`Answers::take`] exchanges it for.
#[must_use = "a question whose answer is not taken need not be asked"]
pub(super) struct Slot<T> {
    at: usize,
    read: fn(Answer) -> T,
}

/// The answers to [`Questions`] that have not been taken yet.
pub(super) struct Answers(Vec<Option<Answer>>);

impl Questions {
    /// The questions in the form that the store takes.
    pub(super) fn asks(&self) -> &[Ask] {
        &self.0
    }

    fn ask<T>(&mut self, filter: &Filter, question: Question, read: fn(Answer) -> T) -> Slot<T> {
        let at = self.0.len();
        self.0.push(Ask { filter: filter.clone(), question });
        Slot { at, read }
    }

    /// How many tweets match.
    pub(super) fn count(&mut self, filter: &Filter) -> Slot<u64> {
        self.ask(filter, Question::Count, Answer::count)
    }

    /// The `n` most frequent values of a field.
    pub(super) fn top(
        &mut self,
        filter: &Filter,
        field: Keyword,
        n: usize,
    ) -> Slot<Vec<TermCount>> {
        self.ask(filter, Question::Top { field, n }, Answer::terms)
    }

    /// The sentiment of all tweets that match.
    pub(super) fn sentiment(&mut self, filter: &Filter) -> Slot<SentimentSummary> {
        self.ask(filter, Question::Sentiment, Answer::sentiment)
    }

    /// The sentiment for each of the `n` most frequent values of a field.
    pub(super) fn sentiment_by(
        &mut self,
        filter: &Filter,
        field: Keyword,
        n: usize,
    ) -> Slot<Vec<TermSentiment>> {
        self.ask(filter, Question::SentimentBy { field, n }, Answer::sentiment_by)
    }

    /// How many tweets of each label were written in each interval.
    pub(super) fn timeline(
        &mut self,
        filter: &Filter,
        interval: Interval,
    ) -> Slot<Vec<TimelineBucket>> {
        self.ask(filter, Question::Timeline { interval }, Answer::timeline)
    }

    /// Counts by weekday and hour.
    pub(super) fn peak_hours(&mut self, filter: &Filter) -> Slot<Vec<HourCount>> {
        self.ask(filter, Question::PeakHours, Answer::peak_hours)
    }

    /// The `n` places with the most tweets.
    pub(super) fn places(&mut self, filter: &Filter, n: usize) -> Slot<Vec<PlaceCount>> {
        self.ask(filter, Question::Places { n }, Answer::places)
    }

    /// The map's cells at a zoom.
    pub(super) fn cells(&mut self, filter: &Filter, zoom: u8) -> Slot<Vec<Cell>> {
        self.ask(filter, Question::Map { zoom }, Answer::cells)
    }

    /// When the first and the last tweet were written.
    pub(super) fn bounds(&mut self, filter: &Filter) -> Slot<Option<Bounds>> {
        self.ask(filter, Question::Bounds, Answer::bounds)
    }

    /// The first `limit` tweets in an order.
    pub(super) fn first(&mut self, filter: &Filter, sort: Sort, limit: usize) -> Slot<Hits> {
        self.page(filter, sort, None, limit)
    }

    /// The next `limit` tweets in an order after a place in it; without one, the first.
    pub(super) fn page(
        &mut self,
        filter: &Filter,
        sort: Sort,
        after: Option<After>,
        limit: usize,
    ) -> Slot<Hits> {
        self.ask(filter, Question::Search { sort, after, offset: 0, limit }, Answer::hits)
    }
}

impl From<Vec<Answer>> for Answers {
    /// Answers in the order of their questions.
    fn from(answers: Vec<Answer>) -> Answers {
        Answers(answers.into_iter().map(Some).collect())
    }
}

impl Answers {
    /// The answer to a question.
    ///
    /// # Panics
    ///
    /// If the slot belongs to other questions.
    pub(super) fn take<T>(&mut self, Slot { at, read }: Slot<T>) -> T {
        let answer = self.0.get_mut(at).and_then(Option::take);
        read(answer.expect("each question has one answer, and one slot for it"))
    }
}
