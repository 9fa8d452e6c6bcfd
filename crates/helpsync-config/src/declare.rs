//! The one form in which settings are declared.

/// Declares a section: its struct, and the list that reading and documentation follow.
///
/// ```text
/// section! {
///     /// What the section is about.
///     pub struct StoreSettings "store";
///
///     /// What the setting does: this text becomes rustdoc, `docs/settings.md` and the example file.
///     "HELPSYNC_STORE__CONNECTIONS_MAX" connections_max: u32 = "10", 1..=500;
/// }
/// ```
///
/// The environment name is written out, so that searching for it finds its declaration. The default is written as
/// it would be in the environment. Without a default the type must be an `Option`. Bounds are in the name's unit.
macro_rules! section {
    (
        $(#[doc = $section_doc:literal])+
        pub struct $name:ident $section:literal;
        $(
            $(#[doc = $doc:literal])+
            $env:literal $field:ident: $ty:ty $(= $default:literal)? $(, $range:expr)?;
        )+
    ) => {
        $(#[doc = $section_doc])+
        #[derive(Debug, Clone)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                #[doc = concat!("\n\n`", $env, "`" $(, ", default `", $default, "`")? $(, ", bounds `", stringify!($range), "`")?)]
                pub $field: $ty,
            )+
        }

        impl $crate::sections::Section for $name {
            const NAME: &'static str = $section;
            const MEANING: &'static str = concat!($($section_doc),+);
            const SETTINGS: &'static [$crate::setting::Setting] = &[$(
                $crate::setting::Setting {
                    env: $env,
                    default: section!(@optional $($default)?),
                    range: section!(@optional $($range)?),
                    secrecy: <$ty as $crate::setting::Value>::SECRECY,
                    bare: <$ty as $crate::setting::Value>::BARE,
                    meaning: concat!($($doc),+),
                }
            ),+];

            fn read(layers: &mut $crate::layers::Layers) -> Option<Self> {
                // All fields are read before the first `?`, so that every fault is reported at once.
                let mut settings = Self::SETTINGS.iter();
                $( let $field: Option<$ty> = settings.next().and_then(|it| layers.read(it)); )+
                Some(Self { $( $field: $field? ),+ })
            }

            fn shown(&self) -> Vec<(&'static $crate::setting::Setting, Option<String>)> {
                let mut settings = Self::SETTINGS.iter();
                let mut shown = Vec::new();
                $( if let Some(it) = settings.next() {
                    shown.push((it, $crate::setting::Value::show(&self.$field, it)));
                } )+
                shown
            }

            fn check(&self) -> Vec<$crate::Problem> {
                self.problems()
            }
        }
    };
    (@optional) => { None };
    (@optional $value:expr) => { Some($value) };
}
pub(crate) use section;
