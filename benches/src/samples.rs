//! Repeated measurements of one thing: median, least, greatest, and percentiles.

use serde::Serialize;

/// Measurements, ascending.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Samples(Vec<f64>);

impl FromIterator<f64> for Samples {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

impl Samples {
    /// A single value.
    pub(crate) fn one(value: f64) -> Self {
        Self(vec![value])
    }

    /// The middle one.
    pub(crate) fn median(&self) -> f64 {
        self.percentile(50.0)
    }

    /// The one below which this share stays.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let at = (last as f64 * percent / 100.0).round() as usize;
        self.0.get(at).copied().unwrap_or(f64::NAN)
    }

    /// The least.
    pub(crate) fn least(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    /// The greatest.
    pub(crate) fn greatest(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
