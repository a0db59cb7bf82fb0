import Decimal from "npm:decimal.js@10.6.0";

export default (c) => c.text(new Decimal("19.99").times(3).toDecimalPlaces(1).toString());
