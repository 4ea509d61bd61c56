//! Makes the defects, the table of who notices them and a test of each of one list.

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
            assert_caught(Defect::$defect).await;
        })*
    };
}
