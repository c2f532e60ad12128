//! How Python shows a value.

use std::fmt::Write as _;

use oad::Value;

/// As Python's `repr` writes it.
pub(crate) fn repr(value: &Value) -> String {
    let list = |items: &mut dyn Iterator<Item = Value>| {
        items.map(|item| repr(&item)).collect::<Vec<_>>().join(", ")
    };
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Int(int) => int.to_string(),
        Value::BigInt(int) => i128::try_from(int.clone()).expect("it was made of one").to_string(),
        Value::Float(float) => repr_of_float(*float),
        Value::Text(text) => quoted(text.chars(), escaped),
        Value::Bytes(bytes) => {
            format!("b{}", quoted(bytes.iter().copied().map(char::from), escaped_byte))
        }
        Value::List(items) => format!("[{}]", list(&mut items.iter())),
        Value::Tuple(items) if items.len() == 1 => format!("({},)", repr(&items[0])),
        Value::Tuple(items) => format!("({})", list(&mut items.iter().cloned())),
        Value::Map(entries) => {
            let entries =
                entries.iter().map(|(key, value)| format!("{}: {}", repr(key), repr(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => unreachable!("{} is not plain", other.kind_name()),
    }
}

fn repr_of_float(float: f64) -> String {
    if float.is_nan() {
        return "nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    // As many digits as it takes; of two that are equally near, Python takes the even one
    // and Rust the larger.
    let shortest = format!("{float:e}");
    let digits =
        shortest.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    let even = format!("{float:.*e}", digits - 1);
    let scientific = if even.parse() == Ok(float) { even } else { shortest };
    let (digits, exponent) = scientific.split_once('e').expect("it has an exponent");
    let exponent: i32 = exponent.parse().expect("it is a number");
    if !(-4..16).contains(&exponent) {
        return format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
    let sign = if digits.starts_with('-') { "-" } else { "" };
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    match usize::try_from(exponent) {
        Ok(exponent) => {
            let (whole, fraction) = digits.split_at(digits.len().min(exponent + 1));
            let fraction = if fraction.is_empty() { "0" } else { fraction };
            format!("{sign}{whole:0<width$}.{fraction}", width = exponent + 1)
        }
        Err(_) => format!(
            "{sign}0.{}{digits}",
            "0".repeat(usize::try_from(-exponent - 1).expect("it is negative"))
        ),
    }
}

fn quoted(chars: impl Iterator<Item = char> + Clone, escape: fn(char) -> Option<String>) -> String {
    let has = |wanted: char| chars.clone().any(|char| char == wanted);
    let quote = if has('\'') && !has('"') { '"' } else { '\'' };
    let mut text = String::from(quote);
    for char in chars {
        match char {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            char if char == quote => write!(text, "\\{char}").expect("there is room"),
            char => match escape(char) {
                Some(escaped) => text.push_str(&escaped),
                None => text.push(char),
            },
        }
    }
    text.push(quote);
    text
}

fn escaped_byte(char: char) -> Option<String> {
    (!matches!(char, ' '..='~')).then(|| format!("\\x{:02x}", u32::from(char)))
}

fn escaped(char: char) -> Option<String> {
    let code = u32::from(char);
    match char {
        ' '..='~' => None,
        '\0'..='\u{a0}' | '\u{ad}' => Some(format!("\\x{code:02x}")),
        '\u{2028}' | '\u{e000}' | '\u{feff}' => Some(format!("\\u{code:04x}")),
        '\u{10ffff}' => Some(format!("\\U{code:08x}")),
        _ => None,
    }
}
