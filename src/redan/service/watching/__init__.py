"""What live traffic tells: detectors, drift, performance, abnormal access."""
