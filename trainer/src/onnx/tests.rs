use super::*;
use crate::maps::Maps;
use crate::net::plan::Step;
use crate::style_file::tests::{facts, network};

fn decode(bytes: &[u8]) -> Model {
    Model::decode(bytes).unwrap()
}

fn word<'a>(model: &'a Model, key: &str) -> Option<&'a str> {
    let key = format!("impasto.{key}");
    let entry = model.metadata.iter().find(|entry| entry.key == key);
    entry.map(|entry| entry.value.as_str())
}

fn values(graph: &Graph, name: &str) -> Vec<f32> {
    let constant = graph
        .constants
        .iter()
        .find(|constant| constant.name == name);
    constant.unwrap().values().unwrap()
}

#[test]
fn weights_and_biases_are_folded() {
    let network = network(Size::Balanced, 1);
    for precision in [Precision::Full, Precision::Half] {
        let model = decode(&write_style(&network, 0, &facts(), precision));
        let graph = model.graph.unwrap();
        let tolerance = match precision {
            Precision::Full => 0.0,
            Precision::Half => 1e-3,
        };
        for (idx, unit) in network.plan.units.iter().enumerate() {
            let [scale, shift] = network.styles[0].units[idx].folded();
            let weights = values(&graph, &format!("{}.weight", unit.name));
            for (at, weight) in weights.iter().enumerate() {
                let wanted = network.weights[idx][at] * scale[at / (9 * unit.n_in)];
                assert!((weight - wanted).abs() <= tolerance, "{} {at}", unit.name);
            }
            let biases = values(&graph, &format!("{}.bias", unit.name));
            for (bias, wanted) in biases.iter().zip(&shift) {
                assert!((bias - wanted).abs() <= tolerance, "{}", unit.name);
            }
        }
    }
}

#[test]
fn what_is_learnt_mixes_with_the_gallery() {
    use engines::{Quality, styles};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.onnx");
    let networks = crate::shipped::networks(Size::Fast).unwrap();
    let mut networks = networks.into_iter();
    let is_wave = |network: &Network| network.styles[0].name == "great-wave";
    let network = networks.find(is_wave).unwrap();
    std::fs::write(&path, write_style(&network, 0, &facts(), Precision::Full)).unwrap();

    let mixed = |first: &str| {
        let mix = format!("{first}:0.75+starry-night:0.25");
        let model = styles::find(&mix, Quality::Fast).unwrap();
        decode(&model.bytes).graph.unwrap()
    };
    // The same style from the gallery, whose weights are stored by half the bits.
    let (found, wanted) = (mixed(&path.display().to_string()), mixed("great-wave"));
    for unit in &network.plan.units {
        for what in ["weight", "bias"] {
            let name = format!("{}.{what}", unit.name);
            let pairs = values(&found, &name)
                .into_iter()
                .zip(values(&wanted, &name));
            for (found, wanted) in pairs {
                let error = (found - wanted).abs();
                assert!(
                    error <= 2e-3 * wanted.abs() + 1e-4,
                    "{name}: {found}, wanted {wanted}"
                );
            }
        }
    }
}

#[test]
fn every_value_is_made_before_it_is_taken() {
    for size in Size::ALL {
        let network = network(size, 1);
        for bytes in [
            write_style(&network, 0, &facts(), Precision::Full),
            write_style(&network, 0, &facts(), Precision::Half),
            write_template(&network),
        ] {
            let graph = decode(&bytes).graph.unwrap();
            let mut known: Vec<&str> = graph
                .constants
                .iter()
                .map(|constant| constant.name.as_str())
                .collect();
            known.extend(["", "input"]);
            for node in &graph.nodes {
                let mut inputs = node.inputs.iter();
                assert!(inputs.all(|input| known.contains(&input.as_str())));
                let output = node.outputs[0].as_str();
                assert!(!known.contains(&output), "{output} is made twice");
                known.push(output);
            }
            assert_eq!(known.last(), Some(&"output"));
        }
    }
}

#[test]
fn operators_are_those_of_the_plan() {
    for size in Size::ALL {
        let network = network(size, 1);
        let graph = decode(&write_template(&network)).graph.unwrap();
        let count = |op: &str| graph.nodes.iter().filter(|node| node.op == op).count();
        let steps = &network.plan.steps;
        let joins = steps.iter().filter(|step| **step == Step::Join).count();
        assert_eq!(count("Conv"), network.plan.units.len());
        assert_eq!(count("Add"), joins + 1);
        let ends = [&graph.nodes[1], &graph.nodes[graph.nodes.len() - 3]];
        assert_eq!(
            ends.map(|node| node.op.as_str()),
            ["SpaceToDepth", "DepthToSpace"]
        );
        for node in ends {
            assert_eq!(node.attributes[0].int, network.plan.block as i64);
        }
    }
}

#[test]
fn metadata_says_how_to_feed_it() {
    let network = network(Size::Best, 1);
    let model = decode(&write_style(&network, 0, &facts(), Precision::Full));
    for (key, value) in [
        ("name", Some("waves")),
        ("title", Some("Waves")),
        ("year", None),
        ("family", Some("impasto-1.best")),
        ("quality", Some("best")),
        ("align", Some("4")),
        ("pad", Some("16")),
        ("mixable", Some("true")),
    ] {
        assert_eq!(word(&model, key), value, "{key}");
    }
    let template = decode(&write_template(&network));
    assert_eq!(word(&template, "family"), Some("impasto-1.best"));
    assert_eq!(word(&template, "name"), None);
}

#[test]
fn a_template_paints_as_its_network_did() {
    let mut network = network(Size::Fast, 1);
    let template = read_template(&write_template(&network)).unwrap();
    assert_eq!(template.size, network.size);
    let mut photo = Maps::zeros(16, 24, 3);
    for (idx, value) in photo.values.iter_mut().enumerate() {
        *value = (idx % 97) as f32 / 97.0;
    }
    let style = network.styles.remove(0);
    let paint = |network: &Network| network.forward(&network.convs(), &style, &photo, false).0;
    let [wanted, found] = [paint(&network), paint(&template)];
    let pairs = wanted.values.iter().zip(&found.values);
    let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // Rounded to float16 on the way.
    assert!(worst < 0.01, "{worst}");
}

/// The weights of the first convolution.
fn weight(model: &mut Model) -> &mut Constant {
    let constants = &mut model.graph.as_mut().unwrap().constants;
    let mut weights = constants
        .iter_mut()
        .filter(|constant| constant.dims.len() == 4);
    weights.next().unwrap()
}

#[test]
fn what_is_wrong_with_a_template_is_said() {
    let network = network(Size::Fast, 1);
    let good = decode(&write_template(&network));
    let spoilt = |spoil: fn(&mut Model)| {
        let mut model = good.clone();
        spoil(&mut model);
        let error = read_template(&model.encode_to_vec()).unwrap_err();
        format!("{error:#}")
    };
    let unit = &network.plan.units[0];
    let turned = format!("[3, 3, {}, {}]", unit.n_in, unit.n_out);
    let name = format!("`{}.weight`", unit.name);
    for (error, part) in [
        (spoilt(|model| model.metadata.clear()), "impasto.quality"),
        (
            spoilt(|model| model.metadata[0].value = "old".to_owned()),
            "`old`",
        ),
        (
            spoilt(|model| model.metadata[1].value = "huge".to_owned()),
            "`huge`",
        ),
        (spoilt(|model| model.graph = None), "no ONNX graph"),
        (spoilt(|model| weight(model).name.clear()), name.as_str()),
        (
            spoilt(|model| weight(model).dims.reverse()),
            turned.as_str(),
        ),
        (spoilt(|model| weight(model).element = 7), "type 7"),
        (spoilt(|model| weight(model).element = 1), "values"),
    ] {
        assert!(error.contains(part), "no `{part}` in: {error}");
    }
    let error = read_template(b"no template at all").unwrap_err();
    assert!(format!("{error:#}").contains("ONNX"), "{error:#}");
}
