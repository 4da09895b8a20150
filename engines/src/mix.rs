//! Which styles a text names, and how much of each: `starry-night:0.7+great-wave:0.3`.

use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::styles::{IDENTITY, is_path};

/// Shares are multiples of one part in so many: finer steps are not seen, and equal mixes are made once.
const N_SHARES: u32 = 16;

/// Most styles that a text may name.
const MAX_STYLES: usize = 16;

/// A style, or several with a share of each. The shares are sixteenths and add up to one; the styles are in
/// alphabetical order, so that two texts that mean the same make the same mix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mix {
    parts: Vec<Part>,
}

/// A style of a mix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    /// Name of a style, or path of a file.
    pub style: String,
    /// Its share in sixteenths, `1..=16`.
    pub n_shares: u32,
}

impl Mix {
    /// Understands `STYLE`, or `STYLE:WEIGHT+STYLE:WEIGHT...`: weights are numbers from 0, 1 where left out, and are
    /// brought to a sum of one. What is the path of a file that exists is that file, whatever `:` and `+` it holds.
    ///
    /// # Errors
    /// [`Error::Mix`].
    pub fn parse(text: &str) -> Result<Self> {
        let fail = |reason| Error::Mix {
            mix: text.to_owned(),
            reason,
        };
        let parts = parts(text).map_err(fail)?;
        if parts.len() > MAX_STYLES {
            return Err(fail(format!(
                "it names {} styles, wanted at most {MAX_STYLES}",
                parts.len()
            )));
        }
        Self::of(parts).ok_or_else(|| {
            fail("every weight is 0; give at least one style a weight above 0".to_owned())
        })
    }

    /// The mix with `strength` (`0.0..=1.0`) of itself, the rest being the style that paints the photo as it is.
    #[must_use]
    pub fn faded(&self, strength: f32) -> Self {
        let strength = f64::from(strength.clamp(0.0, 1.0));
        let own = self
            .parts
            .iter()
            .map(|part| (part.style.clone(), f64::from(part.n_shares) * strength));
        let photo = f64::from(N_SHARES) * (1.0 - strength);
        let parts = own.chain([(IDENTITY.to_owned(), photo)]).collect();
        Self::of(parts).expect("strength and its rest are not both 0")
    }

    /// Whether it is one style alone.
    pub fn is_single(&self) -> bool {
        self.parts.len() == 1
    }

    /// The names or paths of its styles with the share of each, above 0 and up to 1; at least one.
    pub fn styles(&self) -> impl Iterator<Item = (&str, f32)> {
        self.parts
            .iter()
            .map(|part| (part.style.as_str(), part.share()))
    }

    /// The styles and their shares; at least one.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Brings weights to shares; `None` if all are 0.
    fn of(mut weighed: Vec<(String, f64)>) -> Option<Self> {
        weighed.sort_by(|(a, _), (b, _)| a.cmp(b));
        weighed.dedup_by(|next, first| {
            let is_same = next.0 == first.0;
            if is_same {
                first.1 += next.1;
            }
            is_same
        });
        let largest = weighed.iter().map(|part| part.1).fold(0.0, f64::max);
        let sum: f64 = weighed.iter().map(|part| part.1 / largest).sum();
        if !sum.is_finite() || sum <= 0.0 {
            return None;
        }
        let exact: Vec<f64> = weighed
            .iter()
            .map(|part| part.1 / largest / sum * f64::from(N_SHARES))
            .collect();
        let mut shares: Vec<u32> = exact.iter().map(|&share| share as u32).collect();
        // What rounding down leaves over goes to those that lost most by it.
        let mut losers: Vec<usize> = (0..exact.len()).collect();
        losers.sort_by(|&a, &b| exact[b].fract().total_cmp(&exact[a].fract()));
        let n_left = N_SHARES - shares.iter().sum::<u32>();
        for &idx in losers.iter().cycle().take(n_left as usize) {
            shares[idx] += 1;
        }
        let parts = weighed
            .into_iter()
            .zip(shares)
            .filter(|&(_, n_shares)| n_shares > 0)
            .map(|((style, _), n_shares)| Part { style, n_shares })
            .collect();
        Some(Self { parts })
    }
}

impl Part {
    /// Its share, above 0 and up to 1.
    pub(crate) fn share(&self) -> f32 {
        self.n_shares as f32 / N_SHARES as f32
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [part] = &self.parts[..] {
            return f.write_str(&part.style);
        }
        for (idx, part) in self.parts.iter().enumerate() {
            let plus = if idx == 0 { "" } else { "+" };
            write!(f, "{plus}{}:{}", part.style, part.share())?;
        }
        Ok(())
    }
}

/// Styles and weights as the text has them.
fn parts(text: &str) -> std::result::Result<Vec<(String, f64)>, String> {
    if is_file(text) || !text.contains([':', '+']) {
        return Ok(vec![(text.to_owned(), 1.0)]);
    }
    let pieces: Vec<&str> = text.split('+').collect();
    let mut parts = Vec::new();
    let mut idx = 0;
    while idx < pieces.len() {
        // The longest run of pieces that is one file; else the piece by itself.
        let file = (idx + 1..=pieces.len()).rev().find_map(|end| {
            let joined = pieces[idx..end].join("+");
            let (path, weight) = if is_file(&joined) {
                (joined.as_str(), 1.0)
            } else {
                let (path, weight) = joined.rsplit_once(':')?;
                (path, weight.trim().parse().ok()?)
            };
            is_file(path).then(|| (path.to_owned(), weight, end))
        });
        let (style, weight) = match file {
            Some((path, weight, end)) => {
                idx = end;
                (path, weight)
            }
            None => {
                idx += 1;
                piece(pieces[idx - 1])?
            }
        };
        if style.is_empty() {
            return Err("a style has no name; wanted STYLE:WEIGHT+STYLE:WEIGHT".to_owned());
        }
        if !weight.is_finite() || weight < 0.0 {
            return Err(format!(
                "the weight of `{style}` is {weight}, wanted a number from 0"
            ));
        }
        parts.push((style, weight));
    }
    Ok(parts)
}

/// `STYLE` or `STYLE:WEIGHT`.
fn piece(text: &str) -> std::result::Result<(String, f64), String> {
    let Some((style, weight)) = text.rsplit_once(':') else {
        return Ok((text.trim().to_owned(), 1.0));
    };
    match weight.trim().parse() {
        Ok(weight) => Ok((style.trim().to_owned(), weight)),
        // The path of a file that does not exist: that is told when it is read.
        Err(_) if is_path(weight) => Ok((text.trim().to_owned(), 1.0)),
        Err(_) => Err(format!(
            "the weight of `{}` is `{weight}`, wanted a number from 0",
            style.trim()
        )),
    }
}

fn is_file(text: &str) -> bool {
    is_path(text) && Path::new(text).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        Mix::parse(text).unwrap().to_string()
    }

    #[test]
    fn a_name_or_path_alone_is_itself() {
        for text in [
            "starry-night",
            "x.onnx",
            "/no/such:file.onnx",
            "",
            "/no/such",
        ] {
            let mix = Mix::parse(text).unwrap();
            assert!(mix.is_single());
            assert_eq!(mix.to_string(), text);
        }
    }

    #[test]
    fn weights_are_brought_to_sixteenths_that_add_up_to_one() {
        for (text, wanted) in [
            ("a:0.75+b:0.25", "a:0.75+b:0.25"),
            ("b:1+a:3", "a:0.75+b:0.25"),
            ("a:0.7+b:0.3", "a:0.6875+b:0.3125"),
            ("a:0.701 + b:0.299", "a:0.6875+b:0.3125"),
            ("a+b", "a:0.5+b:0.5"),
            ("a:1+b:1+c:1", "a:0.375+b:0.3125+c:0.3125"),
            ("a:1+b:0", "a"),
            ("a:1+b:0.001", "a"),
            ("a:0.2", "a"),
            ("a:1+b:2+a:1", "a:0.5+b:0.5"),
            ("a:1e308+b:1e308", "a:0.5+b:0.5"),
            ("a:1e-320+b:1e-320", "a:0.5+b:0.5"),
        ] {
            assert_eq!(normal(text), wanted, "{text}");
            assert_eq!(normal(wanted), wanted);
        }
    }

    #[test]
    fn what_cannot_be_mixed_is_said() {
        let many = vec!["a"; 17].join("+");
        for (text, words) in [
            ("a:x+b:1", ["`a`", "`x`"]),
            ("a:1+b:-1", ["`b`", "-1"]),
            ("a:nan+b:1", ["`a`", "NaN"]),
            ("a:inf", ["`a`", "inf"]),
            ("a:0+b:0", ["a:0+b:0", "above 0"]),
            ("a:0", ["a:0", "above 0"]),
            ("a:+b:1", ["`a`", "number"]),
            ("a:0.5+", ["no name", "STYLE:WEIGHT"]),
            ("a++b", ["no name", "STYLE:WEIGHT"]),
            (":0.5", ["no name", "STYLE:WEIGHT"]),
            (&many, ["17", "at most 16"]),
        ] {
            let error = Mix::parse(text).unwrap_err();
            assert!(matches!(error, Error::Mix { .. }), "{text}: {error}");
            let error = error.to_string();
            for word in words {
                assert!(error.contains(word), "{text}: no `{word}` in: {error}");
            }
        }
    }

    #[test]
    fn a_file_that_exists_may_hold_any_sign() {
        let folder = std::env::temp_dir().join(format!("impasto-mix-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = |name: &str| folder.join(name).display().to_string();
        let (odd, plain) = (path("a:1+b:2.onnx"), path("plain.onnx"));
        for path in [&odd, &plain] {
            std::fs::write(path, "").unwrap();
        }
        assert_eq!(normal(&odd), odd);
        for (text, wanted) in [
            (
                format!("{odd}:3+{plain}"),
                format!("{odd}:0.75+{plain}:0.25"),
            ),
            (
                format!("{plain}:1+{odd}:3"),
                format!("{odd}:0.75+{plain}:0.25"),
            ),
            (format!("{odd}+x:1"), format!("{odd}:0.5+x:0.5")),
        ] {
            assert_eq!(normal(&text), wanted, "{text}");
            assert_eq!(normal(&wanted), wanted);
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn fading_mixes_with_the_photo() {
        let mix = Mix::parse("a:0.75+b:0.25").unwrap();
        assert_eq!(mix.faded(1.0), mix);
        assert_eq!(mix.faded(0.0).to_string(), IDENTITY);
        assert_eq!(
            mix.faded(0.5).to_string(),
            format!("a:0.375+b:0.125+{IDENTITY}:0.5")
        );
    }
}
