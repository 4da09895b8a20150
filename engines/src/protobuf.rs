//! Protobuf messages field by field, for editing files of which only a part is understood.

/// A field of a protobuf message.
pub(crate) struct Part<'a> {
    pub number: u64,
    /// Its bytes with tag and length.
    pub whole: &'a [u8],
    /// Its bytes without them.
    pub content: &'a [u8],
}

/// The fields of a message one by one; `None` inside stands for bytes that are no message.
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<Part<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let part = first_part(self.0);
        self.0 = part
            .as_ref()
            .map_or(&[], |part| &self.0[part.whole.len()..]);
        Some(part)
    }
}

/// The content of the first field of that number.
pub(crate) fn field(bytes: &[u8], number: u64) -> Option<&[u8]> {
    Fields(bytes)
        .flatten()
        .find(|part| part.number == number)
        .map(|part| part.content)
}

/// Appends a field that has a length.
pub(crate) fn put(bytes: &mut Vec<u8>, number: u64, content: &[u8]) {
    prost::encoding::encode_varint(number << 3 | 2, bytes);
    prost::encoding::encode_varint(content.len() as u64, bytes);
    bytes.extend_from_slice(content);
}

fn first_part(bytes: &[u8]) -> Option<Part<'_>> {
    let mut rest = bytes;
    let tag = prost::encoding::decode_varint(&mut rest).ok()?;
    let n_tag = bytes.len() - rest.len();
    let (n_header, n_content) = match tag & 7 {
        0 => {
            prost::encoding::decode_varint(&mut rest).ok()?;
            (n_tag, bytes.len() - rest.len() - n_tag)
        }
        1 => (n_tag, 8),
        2 => {
            let n_content =
                usize::try_from(prost::encoding::decode_varint(&mut rest).ok()?).ok()?;
            (bytes.len() - rest.len(), n_content)
        }
        5 => (n_tag, 4),
        _ => return None,
    };
    let whole = bytes.get(..n_header.checked_add(n_content)?)?;
    Some(Part {
        number: tag >> 3,
        whole,
        content: &whole[n_header..],
    })
}
