//! Makes a type, a table and tests of one list of defects.

macro_rules! wrong_stores {
    ($($(#[$doc:meta])* $test:ident, $defect:ident: [$($scenario:ident)*],)*) => {
        /// Which promise is broken.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Defect {
            $($(#[$doc])* $defect,)*
        }

        /// The scenarios that fail on a store with a defect; all others pass.
        pub(crate) const CAUGHT: &[(Defect, &[&str])] =
            &[$((Defect::$defect, &[$(stringify!($scenario)),*])),*];

        $(#[tokio::test]
        async fn $test() {
            $crate::assert_caught(Defect::$defect).await;
        })*
    };
}
