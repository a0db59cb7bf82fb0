import sanitize from "npm:sanitize-html@2.18.1";

export default (c) => c.html(sanitize('<p onclick="x()">Hi <script>alert(1)</script><b>there</b></p>'));
