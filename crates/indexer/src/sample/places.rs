//! Cities of the world for synthetic tweets: positions and rounded bounding boxes.

/// A city that tweets are tagged with.
pub(super) struct City {
    pub(super) name: &'static str,
    pub(super) country: &'static str,
    pub(super) country_code: &'static str,
    pub(super) lat: f64,
    pub(super) lon: f64,
    /// Half the height and width of its box, in degrees.
    pub(super) reach: f64,
}

const fn city(
    name: &'static str,
    country: &'static str,
    country_code: &'static str,
    lat: f64,
    lon: f64,
    reach: f64,
) -> City {
    City { name, country, country_code, lat, lon, reach }
}

pub(super) const CITIES: &[City] = &[
    city("Seattle, WA", "United States", "US", 47.61, -122.33, 0.12),
    city("San Francisco, CA", "United States", "US", 37.76, -122.44, 0.08),
    city("Austin, TX", "United States", "US", 30.27, -97.74, 0.2),
    city("New York, NY", "United States", "US", 40.73, -73.99, 0.2),
    city("Chicago, IL", "United States", "US", 41.84, -87.68, 0.2),
    city("Toronto, Ontario", "Canada", "CA", 43.7, -79.4, 0.2),
    city("Vancouver, British Columbia", "Canada", "CA", 49.25, -123.1, 0.1),
    city("Ciudad de México", "México", "MX", 19.39, -99.14, 0.25),
    city("Bogotá", "Colombia", "CO", 4.65, -74.1, 0.2),
    city("Lima", "Perú", "PE", -12.06, -77.04, 0.2),
    city("Santiago", "Chile", "CL", -33.45, -70.66, 0.2),
    city("Buenos Aires", "Argentina", "AR", -34.61, -58.44, 0.15),
    city("São Paulo", "Brasil", "BR", -23.6, -46.63, 0.3),
    city("Rio de Janeiro", "Brasil", "BR", -22.91, -43.45, 0.25),
    city("London", "United Kingdom", "GB", 51.5, -0.12, 0.2),
    city("Dublin City", "Ireland", "IE", 53.35, -6.26, 0.1),
    city("Lisboa", "Portugal", "PT", 38.73, -9.14, 0.06),
    city("Madrid", "España", "ES", 40.42, -3.7, 0.15),
    city("Barcelona", "España", "ES", 41.39, 2.16, 0.07),
    city("Paris", "France", "FR", 48.86, 2.34, 0.08),
    city("Amsterdam", "Nederland", "NL", 52.36, 4.9, 0.1),
    city("Berlin", "Deutschland", "DE", 52.51, 13.4, 0.25),
    city("München", "Deutschland", "DE", 48.15, 11.55, 0.12),
    city("Zürich", "Schweiz", "CH", 47.38, 8.54, 0.07),
    city("Milano", "Italia", "IT", 45.46, 9.18, 0.08),
    city("Stockholm", "Sverige", "SE", 59.33, 18.07, 0.15),
    city("Warszawa", "Polska", "PL", 52.23, 21.01, 0.15),
    city("İstanbul", "Türkiye", "TR", 41.01, 28.97, 0.3),
    city("Lagos", "Nigeria", "NG", 6.5, 3.38, 0.15),
    city("Nairobi", "Kenya", "KE", -1.29, 36.82, 0.15),
    city("Cape Town", "South Africa", "ZA", -33.93, 18.46, 0.2),
    city("القاهرة", "مصر", "EG", 30.05, 31.24, 0.2),
    city("Dubai", "United Arab Emirates", "AE", 25.2, 55.27, 0.2),
    city("Bengaluru South", "India", "IN", 12.93, 77.58, 0.15),
    city("Mumbai", "India", "IN", 19.08, 72.88, 0.15),
    city("New Delhi", "India", "IN", 28.61, 77.21, 0.15),
    city("Singapore", "Singapore", "SG", 1.35, 103.82, 0.15),
    city("Jakarta Capital Region", "Indonesia", "ID", -6.2, 106.83, 0.15),
    city("Manila City", "Republic of the Philippines", "PH", 14.59, 120.98, 0.05),
    city("서울", "대한민국", "KR", 37.56, 126.99, 0.15),
    city("東京 千代田区", "日本", "JP", 35.69, 139.75, 0.05),
    city("大阪 大阪市北区", "日本", "JP", 34.7, 135.5, 0.03),
    city("Sydney, New South Wales", "Australia", "AU", -33.87, 151.2, 0.3),
    city("Melbourne, Victoria", "Australia", "AU", -37.82, 144.97, 0.3),
    city("Auckland, New Zealand", "New Zealand", "NZ", -36.86, 174.77, 0.2),
    city("Suva", "Fiji", "FJ", -18.12, 178.45, 0.1),
];
