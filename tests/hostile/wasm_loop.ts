// A loop without an end in WebAssembly, as the bytes of its module in decimal.

/** (module (func (export "f") (loop br 0))), by hand: WebAssembly 1.0, 5.5. */
export const WASM_LOOP = "0,97,115,109,1,0,0,0, 1,4,1,96,0,0, 3,2,1,0, 7,5,1,1,102,0,0, 10,9,1,7,0,3,64,12,0,11,11";
