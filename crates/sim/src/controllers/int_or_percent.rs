//! Values that are a number or a percentage (`apimachinery/pkg/util/intstr`).

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Which way a share of a whole number is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Up.
    Up,
    /// Down.
    Down,
}

/// The value, a percentage being taken of `total` (`GetScaledValueFromIntOrPercent`).
///
/// # Errors
/// Go's words for a text that is no percentage.
pub fn scaled(value: &IntOrString, total: i32, round: Round) -> Result<i32, String> {
    let text = match value {
        IntOrString::Int(number) => return Ok(*number),
        IntOrString::String(text) => text,
    };
    let Some(digits) = text.strip_suffix('%') else {
        return Err("invalid value for IntOrString: invalid type: string is not a percentage".to_owned());
    };
    let percent: i64 = digits.parse().map_err(|_| {
        format!(
            "invalid value for IntOrString: invalid value {text:?}: strconv.Atoi: parsing {digits:?}: invalid syntax"
        )
    })?;
    let product = i128::from(percent) * i128::from(total);
    let share = match round {
        Round::Up => product.div_euclid(100) + i128::from(product.rem_euclid(100) > 0),
        Round::Down => product.div_euclid(100),
    };
    Ok(i32::try_from(share).unwrap_or(i32::MAX))
}
