import { latLngToCell } from "npm:h3-js@4.5.0";

export default (c) => c.text(latLngToCell(52.5, 13.4, 7));
