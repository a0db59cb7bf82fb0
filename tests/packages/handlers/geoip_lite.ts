import geoip from "npm:geoip-lite@2.0.3";

export default (c) => c.json({ country: geoip.lookup("8.8.8.8").country });
