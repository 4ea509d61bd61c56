//! The stores that every scenario runs on.

/// Makes a test of each scenario on each backend.
macro_rules! on_every_backend {
    ($($scenario:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $scenario() { super::$scenario(worktruck_tests::Backend::Sqlite).await; })+
        }
        mod postgres {
            $(#[tokio::test] async fn $scenario() { super::$scenario(worktruck_tests::Backend::Postgres).await; })+
        }
    };
}
pub(crate) use on_every_backend;
