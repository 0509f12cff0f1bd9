"""Models of each next sample of sound: training, drawing in real cost, judgement by ear's measures."""
