class EtaCalculator {
  constructor(carrier) {
    this.carrier = carrier;
  }

  hoursLeft(distance) {
    return distance / this.carrier.speed.average;
  }

  daysLeft(distance) {
    return Math.ceil(distance / this.carrier.speed.average / 24);
  }
}

export function estimate(carrier, distance) {
  return Math.round(new EtaCalculator(carrier).hoursLeft(distance));
}

export function estimateDays(carrier, distance) {
  return new EtaCalculator(carrier).daysLeft(distance);
}
