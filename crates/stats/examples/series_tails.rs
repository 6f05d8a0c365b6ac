//! How often each tail of a service's series falls below 1e-3, 1e-4 and 1e-5 on clean series, over how often it should.

use foreshock_stats::{Company, Leaps, Oddity, SeriesWatch};

struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 + 1e-17
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * libm::log(self.uniform())).sqrt() * libm::cos(std::f64::consts::TAU * self.uniform())
    }
}

struct One {
    noise: Noise,
    watch: SeriesWatch,
    ar: f64,
    walk: f64,
}

fn main() {
    let (series, days) = (100, 20);
    for kind in ["white", "autoregressive", "seasonal", "t3", "exponential", "counts", "walk"] {
        let mut below = [[0_u32; 4]; 6];
        let mut looks = 0_u32;
        let mut company = Company::default();
        let mut all: Vec<One> = (0..series)
            .map(|seed| One { noise: Noise(seed * 7_919 + 1), watch: SeriesWatch::new(), ar: 0.0, walk: 0.0 })
            .collect();
        let mut joint = [0_u32; 4];
        let mut windows = 0;
        for minute in 0..days * 1_440_u32 {
            let secs = 1.7e9 + f64::from(minute) * 60.0;
            let mut leaps = Leaps::default();
            for one in &mut all {
                let noise = &mut one.noise;
                let z = noise.normal();
                one.ar = 0.7 * one.ar + z;
                one.walk += z;
                let day = libm::sin(std::f64::consts::TAU * f64::from(minute) / 1_440.0);
                let value = match kind {
                    "white" => 100.0 + z,
                    "autoregressive" => 100.0 + one.ar,
                    "seasonal" => 100.0 + 20.0 * day + z,
                    "t3" => {
                        let chi_square: f64 = (0..3).map(|_| noise.normal()).map(|z| z * z).sum();
                        100.0 + z / (chi_square / 3.0).sqrt()
                    }
                    "exponential" => -10.0 * libm::log(noise.uniform()),
                    "counts" => (20.0 + 4.5 * z).round().max(0.0),
                    _ => 1_000.0 + one.walk,
                };
                let mut watched = one.watch.observe(secs, value);
                company.calibrate(&mut watched);
                watched.leap.iter().for_each(|leap| leaps.add(*leap));
                if minute >= 8 * 1_440 {
                    looks += 1;
                    for (oddity, below) in Oddity::ALL.into_iter().zip(&mut below) {
                        let surprise = watched.tail(oddity).surprise();
                        for (i, below) in below.iter_mut().enumerate() {
                            *below += u32::from(surprise > 2.0 + i as f64);
                        }
                    }
                }
            }
            let jointly = company.close(secs, &leaps, 0.0);
            if let Some(jointly) = jointly
                && minute >= 1_440
            {
                windows += 1;
                for (i, below) in joint.iter_mut().enumerate() {
                    *below += u32::from(jointly.tail.surprise() > 2.0 + i as f64);
                }
            }
        }
        print!("{kind:>15}");
        let scale = [1e2, 1e3, 1e4, 1e5];
        for (oddity, below) in Oddity::ALL.into_iter().zip(below) {
            let ratio = |i: usize| f64::from(below[i]) / f64::from(looks) * scale[i];
            print!("  {oddity:?} {:.2} {:.2} {:.2} {:.2}", ratio(0), ratio(1), ratio(2), ratio(3));
        }
        let ratio = |i: usize| f64::from(joint[i]) / f64::from(windows) * scale[i];
        println!("  joint {:.2} {:.2} {:.2} {:.2}", ratio(0), ratio(1), ratio(2), ratio(3));
    }
}
