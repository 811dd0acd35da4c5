//! The limiter against a cloud that allows so many calls a second, on a clock that is not waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::base::retry::Backoff;

/// Lets ten calls a second through and refuses the rest.
struct Cloud {
    second: Mutex<(Instant, u32)>,
    allowed: u32,
    refusals: AtomicU32,
}

impl Cloud {
    fn allowing(allowed: u32) -> Arc<Self> {
        let second = Mutex::new((Instant::now(), 0));
        Arc::new(Self { second, allowed, refusals: AtomicU32::new(0) })
    }

    /// A call takes a while; whether it was let through.
    async fn call(&self) -> bool {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut second = self.second.lock().unwrap();
        if second.0.elapsed() >= Duration::from_secs(1) {
            *second = (Instant::now(), 0);
        }
        second.1 += 1;
        if second.1 > self.allowed {
            self.refusals.fetch_add(1, Ordering::Relaxed);
        }
        second.1 <= self.allowed
    }
}

/// Twenty at once, ten calls each, all of which must get through; how often they were refused, and how long it took.
async fn crowd(cloud: Arc<Cloud>, limiter: Option<Arc<Limiter>>) -> (u32, Duration) {
    let begun = Instant::now();
    let caller = |cloud: Arc<Cloud>, limiter: Option<Arc<Limiter>>| async move {
        for _ in 0..10 {
            let deadline = Deadline::after(Duration::from_mins(5));
            let mut backoff = Backoff::new(Duration::from_millis(150), Duration::from_secs(8));
            loop {
                let admission = match &limiter {
                    Some(limiter) => Some(limiter.admit(Product::Ecs, &deadline).await),
                    None => None,
                };
                let accepted = cloud.call().await;
                match limiter.as_ref().zip(admission) {
                    Some((limiter, admission)) if accepted => limiter.accepted(admission),
                    Some((limiter, admission)) => limiter.refused(admission, Duration::ZERO),
                    None => {}
                }
                if accepted {
                    break;
                }
                assert!(backoff.wait(&deadline).await, "never got through");
            }
        }
    };
    let callers: Vec<_> = (0..20).map(|_| tokio::spawn(caller(cloud.clone(), limiter.clone()))).collect();
    for caller in callers {
        caller.await.unwrap();
    }
    (cloud.refusals.load(Ordering::Relaxed), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn fewer_calls_are_refused_than_without_it_in_about_the_same_time() {
    let (without, took_without) = crowd(Cloud::allowing(10), None).await;
    let (with, took_with) = crowd(Cloud::allowing(10), Some(Arc::default())).await;
    assert!(with * 3 < without, "{with} refusals with a limiter, {without} without");
    assert!(took_with < took_without * 2, "{took_with:?} with a limiter, {took_without:?} without");
}

#[tokio::test(start_paused = true)]
async fn without_a_refusal_nobody_waits() {
    let (refusals, took) = crowd(Cloud::allowing(u32::MAX), Some(Arc::default())).await;
    assert_eq!((refusals, took), (0, Duration::from_millis(200)), "each makes ten calls of 20 ms");
}

/// A limiter whose rate is known: so many calls in the last moment, the last one refused.
async fn refused_at(rate: u32, pause: Duration) -> Limiter {
    let limiter = Limiter::default();
    let deadline = Deadline::after(Duration::from_hours(1));
    let mut last = limiter.admit(Product::Alb, &deadline).await;
    for _ in 1..rate {
        last = limiter.admit(Product::Alb, &deadline).await;
    }
    limiter.refused(last, pause);
    limiter
}

/// When the next calls of a product go, from now.
async fn turns(limiter: &Limiter, product: Product, calls: usize) -> Vec<u128> {
    let begun = Instant::now();
    let deadline = Deadline::after(Duration::from_hours(1));
    let mut turns = Vec::new();
    for _ in 0..calls {
        limiter.admit(product, &deadline).await;
        turns.push(begun.elapsed().as_millis());
    }
    turns
}

#[tokio::test(start_paused = true)]
async fn a_refusal_halves_the_rate_of_its_product_alone() {
    let limiter = refused_at(20, Duration::ZERO).await;
    assert_eq!(turns(&limiter, Product::Ecs, 3).await, [0, 0, 0]);
    assert_eq!(turns(&limiter, Product::Alb, 4).await, [100, 200, 300, 400]);
}

#[tokio::test(start_paused = true)]
async fn refusals_of_calls_under_way_halve_it_once() {
    let limiter = Limiter::default();
    let deadline = Deadline::after(Duration::from_hours(1));
    let mut under_way = Vec::new();
    for _ in 0..20 {
        under_way.push(limiter.admit(Product::Alb, &deadline).await);
    }
    tokio::time::advance(Duration::from_millis(1)).await;
    for admission in under_way {
        limiter.refused(admission, Duration::ZERO);
    }
    assert_eq!(turns(&limiter, Product::Alb, 3).await, [100, 200, 300]);
}

#[tokio::test(start_paused = true)]
async fn the_pause_that_the_cloud_asks_for_holds_for_all_calls() {
    let limiter = refused_at(20, Duration::from_secs(3)).await;
    assert_eq!(turns(&limiter, Product::Alb, 2).await, [3000, 3100]);
}

#[tokio::test(start_paused = true)]
async fn no_call_is_held_back_past_its_deadline() {
    let limiter = refused_at(20, Duration::from_mins(10)).await;
    let begun = Instant::now();
    limiter.admit(Product::Alb, &Deadline::after(Duration::from_secs(2))).await;
    assert_eq!(begun.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn success_raises_the_rate_until_there_is_no_limit() {
    let limiter = refused_at(10, Duration::ZERO).await;
    let deadline = Deadline::after(Duration::from_hours(1));
    let begun = Instant::now();
    let mut calls = 0;
    loop {
        let before = Instant::now();
        let admission = limiter.admit(Product::Alb, &deadline).await;
        limiter.accepted(admission);
        if before.elapsed() == Duration::ZERO {
            break;
        }
        calls += 1;
    }
    // From 5 to 20 calls a second, one more each second.
    assert!((10..=20).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert!((120..=240).contains(&calls), "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_forgotten_after_a_minute_without_one() {
    let limiter = refused_at(2, Duration::ZERO).await;
    tokio::time::advance(FORGET + Duration::from_secs(1)).await;
    assert_eq!(turns(&limiter, Product::Alb, 3).await, [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn who_queues_goes_faster_with_each_answer_that_is_no_refusal() {
    let limiter = Arc::new(Limiter::default());
    let deadline = Deadline::after(Duration::from_mins(5));
    let first = limiter.admit(Product::Ecs, &deadline).await;
    limiter.refused(first, Duration::ZERO);
    let begun = Instant::now();
    // At the slowest rate the last of ten would wait for twenty seconds.
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let limiter = limiter.clone();
            tokio::spawn(async move { limiter.admit(Product::Ecs, &deadline).await })
        })
        .collect();
    let mut answered = 0;
    for waiter in waiting {
        let admission = waiter.await.unwrap();
        limiter.accepted(admission);
        answered += 1;
    }
    assert_eq!(answered, 10);
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
}
