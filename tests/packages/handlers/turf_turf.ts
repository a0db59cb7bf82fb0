import { distance, point } from "npm:@turf/turf@7.4.0";

export default (c) => c.json({ km: Math.round(distance(point([13.4, 52.5]), point([2.35, 48.86]))) });
