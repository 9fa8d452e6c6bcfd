//! The look of the organization that a page speaks for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The largest logo, in bytes: it stands in every page.
pub const LOGO_BYTES_MAX: usize = 32 * 1024;
/// What the bytes of each image that is taken begin with. No SVG: it is a document that can hold scripts.
const IMAGES: [(&str, &[u8]); 4] = [
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/gif", b"GIF8"),
    ("image/webp", b"RIFF"),
];

/// Who a page speaks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brand {
    /// What people call it.
    pub name: String,
    /// Shown beside the name.
    pub logo: Option<Logo>,
    /// Of the button that leads on.
    pub color: Option<Color>,
}

/// Why a brand is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrandError {
    /// Not `#rrggbb`.
    Color,
    /// Not a data URL of an image that is taken.
    LogoForm,
    /// Longer than [`LOGO_BYTES_MAX`].
    LogoSize,
}

/// A colour, `#rrggbb` in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color([u8; 3]);

impl Color {
    /// Reads `#rrggbb`.
    ///
    /// # Errors
    /// [`BrandError::Color`].
    pub fn parse(text: &str) -> Result<Self, BrandError> {
        let digits = text.trim().strip_prefix('#').ok_or(BrandError::Color)?;
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BrandError::Color);
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_not_hex| BrandError::Color)?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self([red, green, blue]))
    }

    /// Relative luminance, 0 to 1: <https://www.w3.org/TR/WCAG22/#dfn-relative-luminance>.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// What is written on it: black or white, whichever is read more easily. One of them always has a contrast of 4.5.
    #[must_use]
    pub fn text_on(self) -> &'static str {
        let luminance = self.luminance();
        let (on_white, on_black) = (1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05);
        if on_white >= on_black { "#fff" } else { "#000" }
    }
}

impl std::fmt::Display for Color {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// An image of at most [`LOGO_BYTES_MAX`], as a `data:` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo(String);

impl Logo {
    /// Reads a base64 `data:` URL of a PNG, JPEG, GIF or WebP image. What it is, its bytes say.
    ///
    /// # Errors
    /// [`BrandError::LogoForm`], [`BrandError::LogoSize`].
    pub fn parse(text: &str) -> Result<Self, BrandError> {
        let rest = text.trim().strip_prefix("data:").ok_or(BrandError::LogoForm)?;
        let (kind, encoded) = rest.split_once(";base64,").ok_or(BrandError::LogoForm)?;
        // A third more than the bytes, and a few: nothing larger is decoded.
        if encoded.len() > LOGO_BYTES_MAX / 3 * 4 + 8 {
            return Err(BrandError::LogoSize);
        }
        let bytes = STANDARD.decode(encoded).map_err(|_not_base64| BrandError::LogoForm)?;
        if bytes.len() > LOGO_BYTES_MAX {
            return Err(BrandError::LogoSize);
        }
        let is_it = |(known, start): &&(&str, &[u8])| *known == kind && bytes.starts_with(start);
        let (kind, _) = IMAGES.iter().find(is_it).ok_or(BrandError::LogoForm)?;
        Ok(Self(format!("data:{kind};base64,{}", STANDARD.encode(&bytes))))
    }

    /// The `data:` URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_on_a_colour_can_be_read() {
        for (color, text) in [
            ("#ffffff", "#000"),
            ("#000000", "#fff"),
            ("#17795E", "#fff"),
            ("#ffd400", "#000"),
            ("#ff0000", "#000"),
        ] {
            let color = Color::parse(color).unwrap();
            assert_eq!(color.text_on(), text, "{color}");
            let other = Color::parse(if text == "#fff" { "#ffffff" } else { "#000000" }).unwrap();
            let (light, dark) =
                (color.luminance().max(other.luminance()), color.luminance().min(other.luminance()));
            assert!((light + 0.05) / (dark + 0.05) >= 4.5, "{color}");
        }
        for wrong in ["", "red", "#fff", "#12345g", "#1234567", "17795e", "#+12345", "#17795e;}body{"] {
            assert_eq!(Color::parse(wrong), Err(BrandError::Color), "{wrong}");
        }
    }

    #[test]
    fn a_logo_is_a_small_image_and_nothing_else() {
        let url = |kind: &str, bytes: &[u8]| format!("data:{kind};base64,{}", STANDARD.encode(bytes));
        let png = |length: usize| {
            let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
            bytes.resize(length, 0);
            url("image/png", &bytes)
        };
        assert_eq!(Logo::parse(&png(LOGO_BYTES_MAX)).unwrap().as_str(), png(LOGO_BYTES_MAX));
        assert_eq!(Logo::parse(&png(LOGO_BYTES_MAX + 1)), Err(BrandError::LogoSize));
        assert_eq!(Logo::parse(&png(3 * LOGO_BYTES_MAX)), Err(BrandError::LogoSize));
        for wrong in [
            String::new(),
            "https://example.com/logo.png".to_owned(),
            url("image/svg+xml", b"<svg onload=alert(1)>"),
            url("image/png", b"<svg onload=alert(1)>"),
            url("text/html", b"\x89PNG\r\n\x1a\n"),
            "data:image/png;base64,\"onerror=x".to_owned(),
        ] {
            assert_eq!(Logo::parse(&wrong), Err(BrandError::LogoForm), "{wrong}");
        }
    }
}
