import juice from "npm:juice@12.2.0";

export default (c) => c.html(juice("<style>p { color: red }</style><p>Hello</p>"));
