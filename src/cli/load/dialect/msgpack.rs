//! Events in MessagePack: an array of maps with text keys.

use crate::cli::load::digest::Line;
use rmp::Marker;
use rmp::decode::{self, NumValueReadError, ValueReadError};
use std::borrow::Cow;

/// Values within values that are skipped; the protocol has three levels.
const DEPTH_MAX: usize = 16;

/// Every event of an array in order; or what is wrong.
pub fn parse_array(payload: &[u8], mut take: impl FnMut(Line)) -> Result<(), String> {
    let mut rest = payload;
    let mut parse = || {
        for _ in 0..decode::read_array_len(&mut rest).map_err(expected("an array"))? {
            take(event(&mut rest)?);
        }
        if rest.is_empty() { Ok(()) } else { Err("bytes follow the array".to_string()) }
    };
    parse().map_err(|why: String| format!("a frame is not an array of events: {why}"))
}

fn event<'a>(rest: &mut &'a [u8]) -> Result<Line<'a>, String> {
    let mut line = Line::default();
    for _ in 0..decode::read_map_len(rest).map_err(expected("a map"))? {
        let key = text(rest)?;
        match key {
            "T" => line.kind = text(rest)?,
            // A `feed` event gives a list here.
            "S" if is_text(rest) => line.symbol = Some(text(rest)?),
            "sq" => line.sq = Some(number(rest)?),
            "sn" => line.is_snapshot = number(rest)? == 1,
            "t" => line.event_us = Some(time(rest)?),
            "ch" => line.channel = Some(text(rest)?),
            "from" => line.from = Some(number(rest)?),
            "to" => line.to = Some(number(rest)?),
            // Trades of a bar are not items of a heartbeat, and do no harm.
            "n" => line.item_count = Some(number(rest)?),
            "code" => line.code = Some(number(rest)?),
            "msg" => line.message = Some(Cow::Borrowed(text(rest)?)),
            _ => skip(rest, 0)?,
        }
    }
    Ok(line)
}

fn expected(what: &'static str) -> impl Fn(ValueReadError) -> String {
    move |error| format!("{what} was expected ({error})")
}

fn is_text(rest: &[u8]) -> bool {
    let marker = rest.first().map(|byte| Marker::from_u8(*byte));
    matches!(marker, Some(Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32))
}

fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a str, String> {
    let (text, behind) =
        decode::read_str_from_slice(*rest).map_err(|error| format!("no text: {error}"))?;
    *rest = behind;
    Ok(text)
}

fn number(rest: &mut &[u8]) -> Result<u64, String> {
    let failed = |error: NumValueReadError| format!("no unsigned integer: {error}");
    decode::read_int(rest).map_err(failed)
}

/// In µs: integer ns, or a timestamp of 4, 8 or 12 bytes (the extension type -1).
fn time(rest: &mut &[u8]) -> Result<i64, String> {
    let marker = rest.first().map(|byte| Marker::from_u8(*byte));
    let is_extension = matches!(marker, Some(Marker::FixExt4 | Marker::FixExt8 | Marker::Ext8));
    if !is_extension {
        let ns: i64 = decode::read_int(rest).map_err(|error| format!("no time: {error}"))?;
        return Ok(ns.div_euclid(1000));
    }
    let meta = decode::read_ext_meta(rest).map_err(expected("a timestamp"))?;
    let data = take_bytes(rest, meta.size as usize)?;
    let wrong = || format!("an extension of type {} and {} bytes", meta.typeid, meta.size);
    if meta.typeid != -1 {
        return Err(wrong());
    }
    let (second, ns) = if let Ok(second) = <[u8; 4]>::try_from(data) {
        (i64::from(u32::from_be_bytes(second)), 0)
    } else if let Ok(both) = <[u8; 8]>::try_from(data) {
        let both = u64::from_be_bytes(both);
        ((both & ((1 << 34) - 1)) as i64, both >> 34)
    } else if let Some((ns, second)) = data.split_first_chunk() {
        let second = second.try_into().map_err(|_| wrong())?;
        (i64::from_be_bytes(second), u64::from(u32::from_be_bytes(*ns)))
    } else {
        return Err(wrong());
    };
    Ok(second.saturating_mul(1_000_000).saturating_add((ns / 1000) as i64))
}

fn take_bytes<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], String> {
    let (data, behind) = rest.split_at_checked(count).ok_or("the frame ends within a value")?;
    *rest = behind;
    Ok(data)
}

fn skip(rest: &mut &[u8], depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("values are nested over {DEPTH_MAX} deep"));
    }
    let marker = rest.first().map(|byte| Marker::from_u8(*byte));
    let fixed = match marker.ok_or("the frame ends before a value")? {
        Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => 1,
        Marker::U8 | Marker::I8 => 2,
        Marker::U16 | Marker::I16 => 3,
        Marker::U32 | Marker::I32 | Marker::F32 => 5,
        Marker::U64 | Marker::I64 | Marker::F64 => 9,
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
            return text(rest).map(drop);
        }
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
            let count = decode::read_array_len(rest).map_err(expected("an array"))?;
            return (0..count).try_for_each(|_| skip(rest, depth + 1));
        }
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
            let count = decode::read_map_len(rest).map_err(expected("a map"))?;
            return (0..count).try_for_each(|_| {
                skip(rest, depth + 1)?;
                skip(rest, depth + 1)
            });
        }
        _ => return time(rest).map(drop),
    };
    take_bytes(rest, fixed).map(drop)
}

#[cfg(test)]
mod tests {
    use crate::cli::load::dialect::Form;
    use crate::cli::load::digest::Digest;
    use crate::cli::load::symbols::SymbolTable;

    fn packed(value: &serde_json::Value) -> Vec<u8> {
        rmp_serde::to_vec(value).expect("plain data is MessagePack")
    }

    /// Method: the same events in both encodings have the same digest.
    #[test]
    fn events_say_the_same_in_both_encodings() {
        let text = r#"[{"T":"success","msg":"connected","v":1,"limits":{"since":9,"x":[1.5,null]}},
            {"T":"q","S":"AAPL","bp":1.5,"bs":-1,"t":1700000000000001999,"sq":7,"sn":1},
            {"T":"t","S":"MSFT","c":["@","F"],"t":1700000000000002000,"sq":300},
            {"T":"b","S":"AAPL","n":12,"v":70000,"t":-1700000000000002000,"sq":4294967296},
            {"T":"gap","S":"A","ch":"trades","from":1,"to":9},{"T":"hb","t":1,"feed":"ok","n":5},
            {"T":"feed","state":"down","S":["A","B"]},{"T":"error","code":405,"msg":"limit"}]"#;
        let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let digest = |form: Form, payload: &[u8]| {
            let mut digest = Digest::default();
            form.parse(payload, &mut SymbolTable::default(), &mut digest);
            digest
        };
        let from_text = digest(Form::Array, text.as_bytes());
        assert_eq!(from_text.item_count, 3);
        let payload = packed(&value);
        assert_eq!(digest(Form::MessagePack, &payload), from_text);
        for cut in 0..payload.len() {
            let entries = digest(Form::MessagePack, &payload[..cut]).entries;
            let last = format!("{:?}", entries.last());
            assert!(last.contains("Malformed"), "cut at {cut}: {last}");
        }
    }

    #[test]
    fn timestamps_have_three_forms() {
        for (data, micros) in [
            (&b"\xd6\xff\x52\x54\x0c\xad"[..], 1_381_239_981_000_000),
            (b"\xd7\xff\x00\x00\x0f\xa4\x52\x54\x0c\xad", 1_381_239_981_000_001),
            (b"\xc7\x0c\xff\x3b\x9a\xc9\xff\xff\xff\xff\xff\xff\xff\xff\xff", -1),
        ] {
            assert_eq!(super::time(&mut &*data), Ok(micros));
        }
    }
}
