use actix_web::HttpResponse;
fn f() {
    match g() {
        Err(_) => HttpResponse::InternalServerError().body("failed"),
        Ok(v) => HttpResponse::Ok().body(v),
    };
}
