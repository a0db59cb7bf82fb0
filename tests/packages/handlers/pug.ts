import pug from "npm:pug@3.0.4";

const render = pug.compile("ul\n  each name in names\n    li(class='name')= name");

export default (c) => c.html(render({ names: ["Ada", "<Bob>"] }));
