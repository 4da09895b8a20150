//! Subtitles that GStreamer's Matroska reader hands out as Pango markup, turned back into plain text.
//!
//! Its escapes (`&amp;`) would otherwise be written into the output as they are.

use std::sync::Mutex;

use gst::prelude::*;

/// Makes `pad` hand on plain text instead of markup. `keep_tags`: whether the reader of the output knows
/// `<i>`, `<b>` and `<u>`, as that of `SubRip` in Matroska does and that of MP4 does not.
pub fn unescape_at(pad: &gst::Pad, keep_tags: bool) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data
            && let Some(text) = plain_buffer(buffer, keep_tags)
        {
            *buffer = text;
        }
        gst::PadProbeReturn::Ok
    });
}

/// Ends the last subtitle at `pad` with an empty one: GStreamer 1.22's MP4 writer gives the last text of a track the
/// length of the one before it.
pub fn end_last_at(pad: &gst::Pad) {
    let end = Mutex::new(None);
    let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(mask, move |pad, info| {
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => {
                let buffer_end = buffer
                    .pts()
                    .zip(buffer.duration())
                    .map(|(start, duration)| start + duration);
                *end.lock().expect("nothing panics while it is held") = buffer_end;
            }
            Some(gst::PadProbeData::Event(event)) if event.type_() == gst::EventType::Eos => {
                let end = end.lock().expect("nothing panics while it is held").take();
                if let Some(end) = end {
                    // If nobody takes it any more, the subtitle stays a little short.
                    let _ = pad.push(empty(end));
                }
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

fn empty(start: gst::ClockTime) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(" ");
    let times = buffer.get_mut().expect("nobody else has it yet");
    times.set_pts(start);
    times.set_duration(gst::ClockTime::from_mseconds(1));
    buffer
}

fn plain_buffer(buffer: &gst::BufferRef, keep_tags: bool) -> Option<gst::Buffer> {
    let mapped = buffer.map_readable().ok()?;
    let markup = std::str::from_utf8(&mapped).ok()?;
    let mut plain = gst::Buffer::from_mut_slice(plain(markup, keep_tags).into_bytes());
    let flags = gst::BufferCopyFlags::TIMESTAMPS | gst::BufferCopyFlags::FLAGS;
    buffer.copy_into(plain.get_mut()?, flags, ..).ok()?;
    Some(plain)
}

fn plain(markup: &str, keep_tags: bool) -> String {
    let mut text = String::with_capacity(markup.len());
    let mut rest = markup;
    while let Some(start) = rest.find(['<', '&']) {
        text.push_str(&rest[..start]);
        rest = &rest[start..];
        let (piece, len_bytes) = if rest.starts_with('<') {
            let len_bytes = tag_len_bytes(rest);
            (
                if keep_tags || len_bytes == 1 {
                    &rest[..len_bytes]
                } else {
                    ""
                },
                len_bytes,
            )
        } else {
            entity(rest)
        };
        text.push_str(piece);
        rest = &rest[len_bytes..];
    }
    text.push_str(rest);
    text
}

/// Length of the tag at the start of `text`; 1 if the `<` there is only a `<`.
fn tag_len_bytes(text: &str) -> usize {
    let is_tag = text[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    text.find('>').filter(|_| is_tag).map_or(1, |end| end + 1)
}

/// The character of the entity at the start of `text`, and the entity's length in bytes.
fn entity(text: &str) -> (&str, usize) {
    [
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
    ]
    .into_iter()
    .find(|(entity, _)| text.starts_with(entity))
    .map_or(("&", 1), |(entity, character)| (character, entity.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_characters() {
        assert_eq!(
            plain("a &lt; b &amp;&amp; c &#39;d&apos; &quot;ü&quot;", false),
            "a < b && c 'd' \"ü\""
        );
        assert_eq!(plain("&nbsp; & so", false), "&nbsp; & so");
    }

    #[test]
    fn tags_stay_only_where_they_are_understood() {
        assert_eq!(plain("<i>Hello</i> &lt;3", true), "<i>Hello</i> <3");
        assert_eq!(plain("<i>Hello</i> &lt;3", false), "Hello <3");
        assert_eq!(plain("cut <i", false), "cut <i");
        assert_eq!(plain("1 < 2 and 3 > 2", false), "1 < 2 and 3 > 2");
    }

    #[test]
    fn buffers_keep_their_times() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::from_slice("&amp;");
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::SECOND);
        let plain = plain_buffer(&buffer, false).unwrap();
        assert_eq!(plain.pts(), Some(gst::ClockTime::SECOND));
        assert_eq!(plain.map_readable().unwrap().as_slice(), b"&");
    }
}
