import post from "post";
