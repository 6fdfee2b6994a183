//! Every engine beside a model of a store that is a few vectors: whatever is done in whatever order, both agree.

mod check;
mod import;
mod run;
mod step;
mod world;

use proptest::prelude::*;

use self::import::imported;
use self::run::run_alone;
use self::step::step;

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_does_what_the_model_does(messages in imported(), steps in prop::collection::vec(step(), 1..20)) {
        run_alone("sqlite", messages, steps);
    }

    #[test]
    fn postgresql_does_what_the_model_does(messages in imported(), steps in prop::collection::vec(step(), 1..20)) {
        run_alone("postgresql", messages, steps);
    }
}
