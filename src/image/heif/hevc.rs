//! The pixels of HEIC.

use heic_rs::{Error, context::Context, hevc};

use super::decode::{Allowance, Coded};

pub(super) fn decode(
    context: &Context<'_>,
    id: u32,
    allowance: &mut Allowance,
) -> Result<Coded, Error> {
    let coding = context.props(id)?.hvcc.ok_or(Error::MissingBox("hvcC"))?;
    let sets = coding.parameter_sets();
    // The stream chooses among the sizes that these tell of.
    let told = sets.iter().filter_map(|set| hevc::probe(&[set]).ok());
    let sizes = told.map(|told| (told.width, told.height));
    allowance.take(
        sizes
            .max_by_key(|(width, height)| u64::from(*width) * u64::from(*height))
            .unwrap_or_default(),
    )?;
    let data = context.item_data(id)?;
    let frame = hevc::decode_still(&sets, &coding.split_nals(&data)?)?;
    frame.validate()?;
    Ok(Coded { frame, colours: None })
}
