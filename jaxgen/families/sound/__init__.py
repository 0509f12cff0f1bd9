"""Models of each next sample of sound: training, generation in real cost, judgement by ear's measures."""
